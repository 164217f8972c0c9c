import { Adjacency, type AdjacencyOptions, type AdjacencyOutput } from './adjacency.ts';
import { earliest } from '../base/deadline.ts';
import { wasStopped } from './late.ts';
import { portState, type PortState } from './port-state.ts';
import type { VerifiedKey } from './signed/counters.ts';
import type { Trust } from './trust.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import type { Hints, VdpMode } from './vdp/association.ts';
import { VdpStation, type StationVsi, type VdpStationOutput, type VsiDescription } from './vdp/station.ts';

export type StationPortOptions = AdjacencyOptions;
export type StationPortOutput = AdjacencyOutput | VdpStationOutput;

export interface StationPortState extends PortState {
  readonly vsis: readonly StationVsi[];
}

/** One request per VSI waits at a time; so many VSIs no host has. */
const outboxLimit = 65_536;

/**
 * An EVB station's end of the link to its bridge: LLDP, EVB, ECP and VDP in one object without I/O.
 * `now` is in milliseconds of one monotonic clock. Every call returns what is to be done, in order.
 */
export class StationPort {
  readonly #adjacency: Adjacency;
  readonly #vdp: VdpStation;
  #outputs: StationPortOutput[] = [];

  constructor(options: StationPortOptions) {
    const emit = (output: StationPortOutput): void => void this.#outputs.push(output);
    this.#adjacency = new Adjacency('station', options, outboxLimit, {
      emit,
      connected: (now) => this.#vdp.connected(now),
      disconnected: () => this.#vdp.disconnected(),
      // Another bridge is asked for everything, as the same one after a restart.
      replaced: () => {},
      // Only a bridge's policy can say so.
      disabled: () => {},
      received: (tlvs, now) => this.#vdp.receive(tlvs, now),
      settled: () => {},
      vsis: () => ({ held: this.#vdp.size, most: outboxLimit }),
    });
    this.#vdp = new VdpStation({
      operation: () => this.#adjacency.operation,
      put: (request) => this.#adjacency.put(request),
      emit,
    });
  }

  linkUp(now: number): StationPortOutput[] {
    this.#adjacency.linkUp(now);
    return this.#take();
  }

  /** VSIs wait until the link is up again. */
  linkDown(now: number): StationPortOutput[] {
    this.#adjacency.linkDown(now);
    return this.#take();
  }

  /** Says good-bye by LLDP; nothing is de-associated. */
  shutdown(now: number): StationPortOutput[] {
    this.#adjacency.shutdown(now);
    return this.#take();
  }

  /** Takes any octets whatever. */
  receive(frame: Uint8Array, now: number): StationPortOutput[] {
    this.#adjacency.receive(frame, now);
    return this.#take();
  }

  /** Unsigned frames count again, although some were signed here: by the administrator's word. */
  unpin(now: number): StationPortOutput[] {
    this.#adjacency.unpin(now);
    return this.#take();
  }

  keysChanged(now: number): StationPortOutput[] {
    this.#adjacency.keysChanged(now);
    return this.#take();
  }

  /** What was verified here, for the agent to remember (`signing.verified`). It changes with a `place` output. */
  get verified(): readonly VerifiedKey[] {
    return this.#adjacency.gate.verified;
  }

  /** Why the bridge is believed; null: there is none. */
  get trust(): Trust | null {
    return this.#adjacency.trust;
  }

  tick(now: number): StationPortOutput[] {
    if (wasStopped(this.deadline(), now)) {
      this.#vdp.excuse(now);
      this.#adjacency.excuse(now);
    }
    this.#vdp.tick(now);
    this.#adjacency.tick(now);
    return this.#take();
  }

  /** When to call `tick` next; null: not before something else happens. */
  deadline(): number | null {
    return earliest(this.#vdp.deadline(), this.#adjacency.deadline());
  }

  /** Asks at once, or as soon as EVB is negotiated. The profile and filter of a `de-associate` name what was held. */
  request(vsi: VsiDescription, mode: VdpMode, now: number): StationPortOutput[] {
    this.#vdp.request(vsi, mode, now);
    this.#adjacency.flush(now);
    return this.#take();
  }

  /** Tells the bridge what is known of VMs now, of all these VSIs in one frame; see `VdpStation.hint`. */
  hint(changes: Iterable<readonly [VsiId, Partial<Hints>]>, now: number): StationPortOutput[] {
    for (const [vsiId, change] of changes) this.#vdp.hint(vsiId, change, now);
    this.#adjacency.flush(now);
    return this.#take();
  }

  state(): StationPortState {
    return { ...portState(this.#adjacency, this.#vdp.counters), vsis: this.#vdp.vsis() };
  }

  #take(): StationPortOutput[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }
}
