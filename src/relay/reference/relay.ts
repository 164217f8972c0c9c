import { limits } from '../../domain/limits.ts';
import type { Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import { features, type Capabilities } from '../contract/capabilities.ts';
import { checkBridge, checkClaims, checkTenants, checkVsi } from '../contract/checks.ts';
import type {
  DropSample,
  PortName,
  Relay,
  RelayCounters,
  RelayEvent,
  RelayState,
  VsiCounters,
} from '../contract/relay.ts';
import { DropWatch } from './drops.ts';
import { Forwarding, type Emission } from './forwarding.ts';
import { dress, parseFrame } from './frame.ts';
import { HeldState } from './held-state.ts';
import { Mtus } from './lengths.ts';

/**
 * The relay in memory: the contract of `Relay` as a program to read, and the switch of the simulated lab. It has no
 * queues, so shapers and guarantees, which take effect in queues only, do not show in it.
 */
export class ReferenceRelay implements Relay {
  readonly capabilities: Capabilities = {
    relay: 'reference',
    features: new Set(features),
    rules: limits.rules,
  };
  readonly #held = new HeldState();
  readonly #mtus = new Mtus();
  readonly #listeners = new Set<(event: RelayEvent) => void>();
  readonly #dropWatch = new DropWatch();
  readonly #forwarding: Forwarding;
  readonly #now: () => bigint;
  readonly #emit: (emission: Emission) => void;

  /**
   * @param now the clock that frames come by, in ns
   * @param emit gets what leaves by itself, and not because a frame came in (`tellNetwork`)
   */
  constructor(now = () => process.hrtime.bigint(), emit: (emission: Emission) => void = () => {}) {
    this.#now = now;
    this.#emit = emit;
    this.#forwarding = new Forwarding(this.#held, this.#mtus, {
      drop: (drop) => this.#dropWatch.tell(drop),
      announcement: (event) => {
        for (const listener of this.#listeners) listener(event);
      },
    });
  }

  held(): RelayState {
    return this.#held.applied();
  }

  apply(desired: RelayState): void {
    checkBridge(desired);
    checkTenants(desired.tenants);
    for (const [id, vsi] of desired.vsis) checkVsi(id, vsi, desired.ports, this.capabilities);
    checkClaims(desired.vsis);
    this.#held.become(desired, this.#now());
  }

  counters(): RelayCounters {
    return {
      ports: this.portCounters(),
      vsis: new Map(Array.from(this.#held.vsis.keys(), (id) => [id, this.countersOf(id)])),
      strangers: this.#held.strangers.all(),
    };
  }

  portCounters(): RelayCounters['ports'] {
    return new Map(Array.from(this.#held.ports, ([name, { tally }]) => [name, tally.counters()]));
  }

  countersOf(vsiId: VsiId): ReadonlyMap<PortName, VsiCounters> {
    const { tallies = [] } = this.#held.vsis.get(vsiId) ?? {};
    return new Map(Array.from(tallies, ([port, tally]) => [port, tally.counters()]));
  }

  ruleFrames(vsi: VsiId): readonly number[] | null {
    return this.#held.vsis.get(vsi)?.ruleFrames.slice() ?? null;
  }

  tellNetwork(vlan: Vid, bytes: Uint8Array): void {
    const frame = parseFrame(bytes);
    const port = this.#held.networkPorts.get(vlan);
    if (!frame || port === undefined) return;
    this.#emit({ port, frame: dress(frame, this.#held.ports.get(port)!.vidOf(vlan), null) });
  }

  /** Ports are names here, and have no interface. */
  rebind(): void {}

  watch(listener: (event: RelayEvent) => void): void {
    this.#listeners.add(listener);
  }

  watchDrops(listener: (drop: DropSample) => void): () => void {
    return this.#dropWatch.add(listener);
  }

  close(): void {
    this.#listeners.clear();
    this.#dropWatch.clear();
  }

  destroy(): void {
    this.close();
    this.#held.clear();
  }

  /** In octets behind the Ethernet header; a port is taken to send frames of any length until it is said. */
  setMtu(port: PortName, mtu: number): void {
    this.#mtus.set(port, mtu);
  }

  /**
   * What leaves, and where, when `bytes` enter `port` at `now` (ns of the clock that counters and events use). `segments`:
   * of a super-frame, whose segments fit every port here.
   */
  receive(port: PortName, bytes: Uint8Array, now: bigint, segments = 1): Emission[] {
    return this.#forwarding.receive(port, bytes, now, segments);
  }
}
