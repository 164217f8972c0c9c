import { isDeepStrictEqual } from 'node:util';
import {
  vlansOf,
  type Direction,
  type RateLimit,
  type StormKind,
  type StormLimit,
} from '../../domain/port-profile.ts';
import { placesOf } from '../contract/checks.ts';
import { bucketOf, stormBucketOf } from '../contract/policy.ts';
import type { Place, PortName, RelayVsi } from '../contract/relay.ts';
import { announcementBucket } from './announcements.ts';
import { OwnLinkLocals } from './link-locals.ts';
import { Mirroring } from './mirror.ts';
import { VsiTally } from './tally.ts';
import { Buckets, type TokenBucket } from './token-bucket.ts';

/** A VSI with what it keeps of its former self: tallies of places at the same ports, and the state of what did not change. */
export class HeldVsi {
  readonly vsi: RelayVsi;
  readonly tallies: ReadonlyMap<PortName, VsiTally>;
  readonly rates: Buckets<Direction, RateLimit>;
  readonly storm: Buckets<StormKind, StormLimit>;
  /** of where it is armed */
  readonly announcements: TokenBucket;
  readonly mirroring: Mirroring | null;
  readonly linkLocals: OwnLinkLocals;
  /** by each rule of the access list, and last by none */
  readonly ruleFrames: number[];
  /** when it ceased to be active at its released place, in ns; null: it was not active there */
  readonly #left: bigint | null;

  constructor(vsi: RelayVsi, now: bigint, before?: HeldVsi) {
    const { rate, storm, mirror, accessList } = vsi.policy;
    this.vsi = vsi;
    this.tallies = new Map(
      placesOf(vsi).map(({ port }) => [port, before?.tallies.get(port) ?? new VsiTally()]),
    );
    const { released } = vsi.places;
    const { active: was, released: from } = before?.vsi.places ?? {};
    this.#left = released && released.port === was?.port ? now : null;
    if (before && released && released.port === from?.port) this.#left = before.#left;
    this.rates = new Buckets(rate, bucketOf, before?.rates);
    this.storm = new Buckets(storm, stormBucketOf, before?.storm);
    this.announcements = before?.announcements ?? announcementBucket();
    this.linkLocals = before?.linkLocals ?? new OwnLinkLocals();
    this.linkLocals.vlans = new Set(vlansOf(vsi.policy));
    this.mirroring = isDeepStrictEqual(before?.mirroring?.mirror ?? null, mirror)
      ? (before?.mirroring ?? null)
      : mirror && new Mirroring(mirror);
    this.ruleFrames =
      before && isDeepStrictEqual(before.vsi.policy.accessList, accessList)
        ? before.ruleFrames
        : Array.from({ length: accessList.rules.length + 1 }, () => 0);
  }

  leftWithin(period: bigint, now: bigint): boolean {
    return this.#left !== null && now - this.#left < period;
  }

  isIn(vlan: number): boolean {
    const { policy } = this.vsi;
    return policy.vlan === vlan || policy.trunk.some((one) => one === vlan);
  }

  /** The VLAN of its frames with this VID at a place of its; null: they are not its. */
  vlanOf({ wireVid }: Place, vid: number): number | null {
    const { policy } = this.vsi;
    if (vid === wireVid) return policy.vlan;
    return policy.trunk.find((one) => one === vid) ?? null;
  }

  /** The VID on its link at this place of frames in a VLAN of its; 0: no tag. */
  vidOf({ wireVid }: Place, vlan: number): number {
    return vlan === this.vsi.policy.vlan ? wireVid : vlan;
  }
}
