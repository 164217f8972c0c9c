/**
 * For how long a bridge holds an association whose keep-alives are lost, in ms: 0 is what 802.1Q 41.5.2 has. A VM runs on
 * when the agent of its host dies, and should keep its network. Its frames prolong nothing, as a neighbour can forge them.
 */
export interface Hold {
  /** since the loss, while the link is up */
  readonly linkUp: number;
  /** since the link went down */
  readonly linkDown: number;
}

/** A host that is started anew, or plugged in elsewhere, is back within a minute; what runs on behind a live link is not cut off. */
export const defaultHold: Hold = { linkUp: Infinity, linkDown: 60_000 };

/** As the standard has it. */
export const noHold: Hold = { linkUp: 0, linkDown: 0 };
