import type { Policy } from '../../domain/port-profile.ts';
import { takesAnyCopy, type Tenants } from '../policy.ts';
import type { RelayVsi } from '../relay.ts';

/** A port's untagged VSIs, counted by what decides whether one copy of a group frame is enough for all (`sharedVlan`). */
export class Occupants {
  readonly #tenants: Tenants;
  readonly #vlans = new Map<Policy['vlan'], number>();
  /** those that need a copy of their own */
  #particular = 0;

  /** `tenants`: their limits, as long as these are counted */
  constructor(tenants: Tenants) {
    this.#tenants = tenants;
  }

  add(vsi: RelayVsi): void {
    this.#count(vsi, 1);
  }

  delete(vsi: RelayVsi): void {
    this.#count(vsi, -1);
  }

  /** The VLAN whose group frames they can share one copy of; null if they cannot, or there are none. */
  get sharedVlan(): Policy['vlan'] | null {
    const [vlan] = this.#vlans.keys();
    return this.#particular === 0 && this.#vlans.size === 1 ? vlan! : null;
  }

  #count(vsi: RelayVsi, change: 1 | -1): void {
    const { vlan } = vsi.policy;
    const count = (this.#vlans.get(vlan) ?? 0) + change;
    if (count) this.#vlans.set(vlan, count);
    else this.#vlans.delete(vlan);
    if (!takesAnyCopy(vsi, this.#tenants)) this.#particular += change;
  }
}
