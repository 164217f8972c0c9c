import type { MacAddress } from '../domain/mac-address.ts';
import { TokenBucket, type TokenRate } from '../base/token-bucket.ts';
import { dialects } from './dialects.ts';
import type { Frame } from './ethernet.ts';
import type { Gate } from './gate.ts';
import type { IgnoreReason } from './ignored.ts';
import { SourceShares } from './source-shares.ts';

export interface IntakeOptions {
  /** source of the frames sent */
  readonly mac: MacAddress;
  /** whether an address belongs to a VM at this port; nothing from it is ever taken */
  readonly isVsiAddress?: (mac: MacAddress) => boolean;
  /** ECPDUs taken per second, and sources that LLDP is heard from anew; the default is 2,000, after a burst of 8,000 */
  readonly controlFrames?: TokenRate;
}

/** With 1,000 VSIs to ask for, lldpad sends each request four times within a second, and not one again after that. */
const defaultControlFrames: TokenRate = { rate: 2_000, burst: 8_000 };
/** Of LLDPDUs so many are looked into: what well-behaved ones send, and not more. */
const lldpdus: TokenRate = { rate: 10, burst: 50 };

/** Decides which frames are looked into, before anything in them is read: by their header, and by the share of who sends them. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #gate: Pick<Gate, 'mayBeSigned'>;
  /** the neighbour's ECPDUs */
  readonly #ecpdus: TokenBucket;
  /** LLDPDUs of each who is the neighbour, or may become it: a VM that floods must not keep the station out */
  readonly #lldpdus: SourceShares;
  /** those with a signature, beyond that */
  readonly #signedLldpdus: TokenBucket;
  /** LLDPDUs to addresses that are no station's */
  readonly #otherLldpdus = new TokenBucket(lldpdus);

  constructor(options: IntakeOptions, gate: Pick<Gate, 'mayBeSigned'>) {
    this.#options = options;
    this.#gate = gate;
    const { controlFrames = defaultControlFrames } = options;
    this.#ecpdus = new TokenBucket(controlFrames);
    this.#signedLldpdus = new TokenBucket(controlFrames);
    this.#lldpdus = new SourceShares(lldpdus, controlFrames);
  }

  /**
   * Decides by the header alone; what is somebody else's does not use up the neighbour's share.
   * @param ecpEtherType of the version that was negotiated
   */
  refusal(
    { destination, source, etherType }: Frame,
    isLldp: boolean,
    neighbour: MacAddress | undefined,
    ecpEtherType: number,
  ): IgnoreReason | null {
    if (!isLldp && !isEcp(destination, etherType)) return 'not a control frame';
    if (source === this.#options.mac) return 'own frame';
    if (this.#options.isVsiAddress?.(source)) return 'VSI address';
    if (isLldp) return null;
    if (source !== neighbour) return 'not the neighbour';
    return etherType === ecpEtherType ? null : 'other dialect';
  }

  /**
   * False if its sender has had its share.
   * @param isOther whether it is LLDP to an address that is no station's
   */
  takes({ source, payload }: Frame, isLldp: boolean, isOther: boolean, now: number): boolean {
    if (isOther) return this.#otherLldpdus.take(now);
    if (!isLldp) return this.#ecpdus.take(now);
    return (
      this.#lldpdus.take(source, now) || (this.#gate.mayBeSigned(payload) && this.#signedLldpdus.take(now))
    );
  }
}

/** Whether ECPDUs of either dialect travel like this. */
function isEcp(destination: MacAddress, etherType: number): boolean {
  return Object.values(dialects).some(
    ({ ecp }) => etherType === ecp.etherType && destination === ecp.destination,
  );
}
