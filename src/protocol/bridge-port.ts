import type { VsiId } from '../domain/vsi-id.ts';
import { Adjacency, type AdjacencyOptions, type AdjacencyOutput } from './adjacency.ts';
import { ownSystemDescription } from './announcement.ts';
import { earliest } from '../base/deadline.ts';
import { wasStopped } from './late.ts';
import type { Neighbour } from './lldp/neighbour.ts';
import type { Speaker } from './place.ts';
import { portState, type PortState } from './port-state.ts';
import type { VerifiedKey } from './signed/counters.ts';
import type { Trust } from './trust.ts';
import type { LastRefusal } from './vdp/answers.ts';
import type { Held } from './vdp/association.ts';
import { VdpBridge, type Verdict } from './vdp/bridge.ts';
import type { VdpBridgeOutput } from './vdp/bridge-output.ts';
import type { BridgeVsi, SupervisedVsi } from './vdp/bridge-vsi.ts';
import { defaultHold, type Hold } from './vdp/hold.ts';
import { defaultLimits, type VdpLimits } from './vdp/limits.ts';
import type { AssociationTlv } from './vdp/tlv.ts';

export interface BridgePortOptions extends AdjacencyOptions {
  readonly limits?: VdpLimits;
  /** of associations whose keep-alives are lost; the default is `defaultHold` */
  readonly vsiHold?: Hold;
  /** whether another place has claimed the VSI, so that it is not held here; the default is that none has */
  readonly isElsewhere?: (vsiId: VsiId) => boolean;
  /** whether the VM runs here though the station has only reserved the place; the default is that it does not */
  readonly isActive?: (vsiId: VsiId) => boolean;
}

/** `late answer`: the token is void, and what the agent has set up for it is to be undone. */
export type BridgePortOutput =
  | AdjacencyOutput
  | VdpBridgeOutput
  | { readonly kind: 'late answer'; readonly token: number };

export interface BridgePortState extends PortState {
  readonly vsis: readonly SupervisedVsi[];
  /** requests that wait for the agent's answer */
  readonly pending: number;
  readonly lastRefusal: LastRefusal | null;
}

/**
 * An EVB bridge's end of the link to one station: LLDP, EVB, ECP and VDP in one object without I/O.
 * `now` is in milliseconds of one monotonic clock. Every call returns what is to be done, in order.
 */
export class BridgePort {
  readonly #adjacency: Adjacency;
  readonly #vdp: VdpBridge;
  #outputs: BridgePortOutput[] = [];

  constructor(options: BridgePortOptions) {
    const emit = (output: BridgePortOutput): void => void this.#outputs.push(output);
    const { limits = defaultLimits, isElsewhere = () => false, isActive = () => false } = options;
    // An answer and a de-associate for each VSI, and as many answers again to VSIs that are refused.
    this.#adjacency = new Adjacency('bridge', options, 3 * limits.vsis, {
      emit,
      connected: (now) => this.#vdp.connected(now),
      disconnected: () => this.#vdp.disconnected(),
      replaced: (isSure, now) => this.#vdp.replaced(isSure, now),
      disabled: () => this.#vdp.stationGone('second station'),
      received: (tlvs, now) => this.#vdp.receive(tlvs, now),
      settled: (tlvs) => this.#vdp.settled(tlvs),
      vsis: () => ({ held: this.#vdp.size, most: limits.vsis }),
    });
    this.#vdp = new VdpBridge({
      limits,
      get hold() {
        return options.vsiHold ?? defaultHold; // it may change
      },
      isElsewhere,
      isActive,
      operation: () => this.#adjacency.operation,
      put: (tlv) => this.#adjacency.put(inTheirWords(tlv, this.#adjacency.neighbour)),
      withdraw: (vsiId) => this.#adjacency.withdraw(vsiId),
      emit,
    });
  }

  linkUp(now: number): BridgePortOutput[] {
    if (!this.#adjacency.isUp) this.#vdp.linkUp(now);
    this.#adjacency.linkUp(now);
    return this.#take();
  }

  /** What is associated stays so until the link was down for the port's hold time: a short flap costs nothing. */
  linkDown(now: number): BridgePortOutput[] {
    this.#vdp.linkDown(now);
    this.#adjacency.linkDown(now);
    return this.#take();
  }

  /** Says good-bye by LLDP; nothing is released. */
  shutdown(now: number): BridgePortOutput[] {
    this.#adjacency.shutdown(now);
    return this.#take();
  }

  /** Takes any octets whatever. */
  receive(frame: Uint8Array, now: number): BridgePortOutput[] {
    this.#adjacency.receive(frame, now);
    return this.#take();
  }

  /** Unsigned frames count again, although some were signed here: by the administrator's word. */
  unpin(now: number): BridgePortOutput[] {
    this.#adjacency.unpin(now);
    return this.#take();
  }

  /** The next station has the port and its VSIs at once, although it does not sign: by the administrator's word. */
  forget(now: number): BridgePortOutput[] {
    this.#adjacency.forget(now);
    return this.#take();
  }

  keysChanged(now: number): BridgePortOutput[] {
    this.#adjacency.keysChanged(now);
    return this.#take();
  }

  tick(now: number): BridgePortOutput[] {
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

  get neighbour(): Neighbour | null {
    return this.#adjacency.neighbour;
  }

  /**
   * Whose place this port is, heard at the moment or not; for the agent to remember, and to give as the option `station`
   * after its restart. It changes by `linkUp`, `linkDown` and with a `place` output, and not by `shutdown`.
   */
  get station(): Speaker | null {
    return this.#adjacency.gate.holder;
  }

  /** What was verified here, for the agent to remember likewise (`signing.verified`). */
  get verified(): readonly VerifiedKey[] {
    return this.#adjacency.gate.verified;
  }

  /** Until when the place waits for a station that is not heard; null: there is none, or it is heard. */
  get heldUntil(): number | null {
    return this.#adjacency.gate.heldUntil;
  }

  /** Since when the VSI is held without its station's keep-alives; null: it is kept alive, or not here. */
  heldSince(vsiId: VsiId): number | null {
    return this.#vdp.heldSince(vsiId);
  }

  /** Why the station at this port is believed; null: there is none. */
  get trust(): Trust | null {
    return this.#adjacency.trust;
  }

  /** A second station spoke, and since then the link was not down: nothing is to be set up here. */
  get isDisabled(): boolean {
    return this.#adjacency.isDisabled;
  }

  /** How the station has associated a VSI; null: not at all. */
  associationOf(vsiId: VsiId): Held | null {
    return this.#vdp.associationOf(vsiId);
  }

  /** Whether `answer` would still count: to be asked before anything is set up for the request. */
  awaits(token: number): boolean {
    return this.#vdp.awaits(token);
  }

  /** @throws Invalid if the verdict's filter is no answer to the request's */
  answer(token: number, verdict: Verdict, now: number): BridgePortOutput[] {
    if (!this.#vdp.answer(token, verdict, now)) this.#outputs.push({ kind: 'late answer', token });
    this.#adjacency.flush(now);
    return this.#take();
  }

  /** Without effect for a VSI that is not here. */
  deassociate(vsiId: VsiId, now: number): BridgePortOutput[] {
    this.#vdp.deassociate(vsiId);
    this.#adjacency.flush(now);
    return this.#take();
  }

  /** What is pre-associated here turned out to run here; without effect for another VSI. */
  associated(vsiId: VsiId, now: number): BridgePortOutput[] {
    this.#vdp.associated(vsiId, now);
    this.#adjacency.flush(now);
    return this.#take();
  }

  /** After a restart of the agent: what the data plane holds is supervised from now on; nothing is sent. */
  adopt(vsis: Iterable<BridgeVsi>, now: number): void {
    this.#vdp.adopt(vsis, now);
  }

  state(): BridgePortState {
    return {
      ...portState(this.#adjacency, this.#vdp.counters),
      vsis: this.#vdp.vsis(),
      pending: this.#vdp.pending,
      lastRefusal: this.#vdp.lastRefusal,
    };
  }

  #take(): BridgePortOutput[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }
}

/** A station that is not Hairpin's is answered as the standard has it, without the reason in words. */
function inTheirWords(tlv: AssociationTlv, neighbour: Neighbour | null): AssociationTlv {
  if (tlv.kind !== 'answer' || tlv.refusal === null) return tlv;
  if (neighbour?.systemDescription === ownSystemDescription) return tlv;
  const { code, keep, hard } = tlv.refusal;
  return { ...tlv, refusal: { code, keep, hard } };
}
