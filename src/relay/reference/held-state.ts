import type { MacAddress } from '../../domain/mac-address.ts';
import { vlansOf, type Direction, type RateLimit } from '../../domain/port-profile.ts';
import type { Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import { bucketOf, occupancies, sharedVlan } from '../contract/policy.ts';
import { defaultAgeingTime, type PortName, type RelayState } from '../contract/relay.ts';
import { HeldPort } from './held-port.ts';
import { HeldVsi } from './held-vsi.ts';
import { LearnedAddresses } from './learning.ts';
import { LinkLocals } from './link-locals.ts';
import { Strangers } from './strangers.ts';
import { Buckets } from './token-bucket.ts';

/** All that frames are judged by: the state that was applied, and what frames have taught since. */
export class HeldState {
  ports: ReadonlyMap<PortName, HeldPort> = new Map();
  vsis: ReadonlyMap<VsiId, HeldVsi> = new Map();
  networkPorts: RelayState['networkPorts'] = new Map();
  tenantRates: ReadonlyMap<string, Buckets<Direction, RateLimit>> = new Map();
  learned = new LearnedAddresses();
  linkLocals = new LinkLocals();
  strangers = new Strangers();
  #tenants: RelayState['tenants'] = new Map();
  #ageingTime = defaultAgeingTime;

  /** As it was applied. */
  applied(): RelayState {
    return {
      ports: new Map(Array.from(this.ports, ([name, { port }]) => [name, port])),
      vsis: new Map(Array.from(this.vsis, ([id, { vsi }]) => [id, vsi])),
      tenants: this.#tenants,
      networkPorts: this.networkPorts,
      ageingTime: this.#ageingTime,
    };
  }

  /** Keeps, of what it was, what `desired` does not change; `now` in ns. */
  become({ ports, vsis, tenants, networkPorts, ageingTime }: RelayState, now: bigint): void {
    const { ports: heldPorts, vsis: heldVsis, tenantRates: heldRates } = this;
    this.ports = new Map(
      Array.from(ports, ([name, port]) => [name, new HeldPort(port, heldPorts.get(name))]),
    );
    this.vsis = new Map(Array.from(vsis, ([id, vsi]) => [id, new HeldVsi(vsi, now, heldVsis.get(id))]));
    this.#tenants = new Map(tenants);
    this.tenantRates = new Map(
      Array.from(tenants, ([name, { rate }]) => [name, new Buckets(rate, bucketOf, heldRates.get(name))]),
    );
    this.networkPorts = new Map(networkPorts);
    this.#ageingTime = ageingTime;
    for (const [id, { linkLocals }] of heldVsis) if (!vsis.has(id)) this.linkLocals.release(linkLocals);
    this.strangers.keepPorts((name) => ports.has(name));
    for (const heard of [this.learned, this.linkLocals])
      heard.keepPorts((name) => ports.get(name)?.kind === 'network');
    for (const { addresses, places, policy } of vsis.values())
      if (places.active)
        for (const mac of addresses) for (const vlan of vlansOf(policy)) this.learned.forget(mac, vlan);
  }

  clear(): void {
    this.ports = new Map();
    this.vsis = new Map();
    this.#tenants = new Map();
    this.tenantRates = new Map();
    this.networkPorts = new Map();
    this.learned = new LearnedAddresses();
    this.linkLocals = new LinkLocals();
    this.strangers = new Strangers();
  }

  /** The VSI that has the address in the VLAN, wherever its places are. */
  ownerOf(mac: MacAddress, vlan: number): { readonly id: VsiId; readonly held: HeldVsi } | null {
    for (const [id, held] of this.vsis)
      if (held.isIn(vlan) && held.vsi.addresses.includes(mac)) return { id, held };
    return null;
  }

  /** Whether the address was learned at the VLAN's active network port; `now` in ns. */
  isLearned(mac: MacAddress, vlan: number, now: bigint): boolean {
    const port = this.learned.portOf(mac, vlan, now, this.#ageingTime);
    return port !== null && this.networkPorts.get(vlan as Vid) === port;
  }

  /** Whether the port's untagged VSIs get one copy of a group frame for them all. */
  isShared(port: PortName): boolean {
    const untagged = [...this.vsis.values()].flatMap(({ vsi }) => [...occupancies(vsi)]);
    const here = untagged.filter((one) => one.port === port);
    return sharedVlan(here, this.#tenants) !== null;
  }
}
