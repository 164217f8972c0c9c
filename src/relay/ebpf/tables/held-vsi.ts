import type { RelayVsi } from '../../contract/relay.ts';
import type { NumberedPlace } from '../memory/layout.ts';

/** A VSI as the data plane has it. */
export interface HeldVsi {
  readonly slot: number;
  readonly profile: number;
  /** the port that carries the policy's mirror session, 0 if none does */
  readonly mirrorPort: number;
  /** the number of its tenant, 0 if that has no limits */
  readonly tenant: number;
  readonly vsi: RelayVsi;
  readonly active: NumberedPlace | null;
  readonly armed: NumberedPlace | null;
  readonly released: NumberedPlace | null;
}
