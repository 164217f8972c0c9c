import { Multiset } from '../../domain/multiset.ts';
import type { Policy } from '../../domain/port-profile.ts';
import { takesAnyCopy, type Tenants } from '../policy.ts';
import type { RelayVsi } from '../relay.ts';

/** A port's untagged VSIs, counted by what decides whether one copy of a group frame is enough for all (`sharedVlan`). */
export class Occupants {
  readonly #tenants: Tenants;
  readonly #vlans = new Multiset<Policy['vlan']>();
  /** those that need a copy of their own */
  #particular = 0;

  /** `tenants`: their limits, as long as these are counted */
  constructor(tenants: Tenants) {
    this.#tenants = tenants;
  }

  add(vsi: RelayVsi): void {
    this.#vlans.add(vsi.policy.vlan);
    if (!takesAnyCopy(vsi, this.#tenants)) this.#particular++;
  }

  delete(vsi: RelayVsi): void {
    this.#vlans.delete(vsi.policy.vlan);
    if (!takesAnyCopy(vsi, this.#tenants)) this.#particular--;
  }

  /** The VLAN whose group frames they can share one copy of; null if they cannot, or there are none. */
  get sharedVlan(): Policy['vlan'] | null {
    const [vlan, another] = this.#vlans.distinct();
    return this.#particular === 0 && another === undefined ? (vlan ?? null) : null;
  }
}
