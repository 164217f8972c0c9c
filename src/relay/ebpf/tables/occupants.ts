import { Multiset } from '../../../base/multiset.ts';
import type { Policy } from '../../../domain/port-profile.ts';
import { shares, type Occupant, type Tenants } from '../../contract/policy.ts';

/** A port's untagged VSIs, counted by what decides whether one copy of a group frame is enough for all (`sharedVlan`). */
export class Occupants {
  readonly #tenants: Tenants;
  readonly #vlans = new Multiset<Policy['vlan']>();
  /** those that need a copy of their own, or may not have any */
  #particular = 0;

  /** `tenants`: their limits, as long as these are counted */
  constructor(tenants: Tenants) {
    this.#tenants = tenants;
  }

  add(one: Occupant): void {
    this.#vlans.add(one.vsi.policy.vlan);
    if (!shares(one, this.#tenants)) this.#particular++;
  }

  delete(one: Occupant): void {
    this.#vlans.delete(one.vsi.policy.vlan);
    if (!shares(one, this.#tenants)) this.#particular--;
  }

  /** The VLAN whose group frames they can share one copy of; null if they cannot, or there are none. */
  get sharedVlan(): Policy['vlan'] | null {
    const [vlan, another] = this.#vlans.distinct();
    return this.#particular === 0 && another === undefined ? (vlan ?? null) : null;
  }
}
