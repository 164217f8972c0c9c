import type { MacAddress } from '../domain/mac-address.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import { announcedTlvs, announcement, ownSystemDescription } from './announcement.ts';
import { earliest } from '../base/deadline.ts';
import type { Dialect } from './dialect.ts';
import { dialects } from './dialects.ts';
import { droppedLayer, Ecp } from './ecp/ecp.ts';
import type { Ecpdu } from './ecp/ratified.ts';
import { decodeFrame, encodeFrame, nearestCustomerBridge, type Frame } from './ethernet.ts';
import { etherTypes } from '../domain/packet-numbers.ts';
import { EvbAgreement, type EvbOptions } from './evb/agreement.ts';
import type { SChannel } from './evb/cdcp.ts';
import { sameOperation, type EvbOperation, type VsiCount } from './evb/parameters.ts';
import type { EvbRole } from './evb/ratified.ts';
import { Gate, type GateOptions, type Meeting } from './gate.ts';
import { IgnoreLog, type Ignored, type IgnoreReason } from './ignored.ts';
import { Intake, type IntakeOptions } from './intake.ts';
import { listenerOf, type ListeningAgent, type OtherNeighbour } from './lldp/listener.ts';
import type { Neighbour } from './lldp/neighbour.ts';
import { decodeLldpdu, encodeLldpTlvs, type Lldpdu, type LldpTlv } from './lldp/packet.ts';
import { LldpTransmitter, txTtl } from './lldp/transmitter.ts';
import { equal } from '../base/octets.ts';
import {
  Neighbourhood,
  type NeighbourhoodOptions,
  type NeighbourhoodOutput,
  type SecondStation,
} from './neighbourhood.ts';
import type { Speaker } from './place.ts';
import { offer } from './signed/tlv.ts';
import type { Trust } from './trust.ts';
import { VdpCarrier } from './vdp/carrier.ts';
import type { AssociationTlv, VdpTlv } from './vdp/tlv.ts';

export interface AdjacencyOptions extends GateOptions, NeighbourhoodOptions, IntakeOptions, EvbOptions {
  /** the first ECP sequence number, 1 to 65535, by chance best; the default is 1 */
  readonly firstSequence?: number;
}

export type AdjacencyOutput =
  | { readonly kind: 'send'; readonly frame: Uint8Array<ArrayBuffer> }
  | NeighbourhoodOutput
  | ({ readonly kind: 'evb' } & EvbOperation)
  /** a second station spoke, and the policy is "down" */
  | { readonly kind: 'disabled'; readonly by: SecondStation }
  | Ignored;

/** The VDP machine on top. */
export interface AdjacencyUser {
  emit(output: AdjacencyOutput): void;
  /** EVB is negotiated: TLVs can be sent. */
  connected(now: number): void;
  /** They cannot any more; what was queued is lost. */
  disconnected(): void;
  /** The neighbour is another machine than the one before; `isSure`: its signature says so. */
  replaced(isSure: boolean, now: number): void;
  /** The port is of no use until its link was down. */
  disabled(): void;
  received(tlvs: readonly VdpTlv[], now: number): void;
  /** These TLVs were acknowledged, or given up. */
  settled(tlvs: readonly AssociationTlv[]): void;
  vsis(): VsiCount;
}

/**
 * What bridge and station have in common at either end of a link: LLDP finds the neighbour, which the gate lets
 * in, EVB agrees on timers and reflective relay, and ECP carries VDP between the two. The caller runs `tick` at `deadline`.
 */
export class Adjacency {
  readonly #role: EvbRole;
  readonly #options: AdjacencyOptions;
  readonly #user: AdjacencyUser;

  #up = false;
  readonly #lldp = new LldpTransmitter();
  #announced: Uint8Array = new Uint8Array();
  readonly #intake: Intake;
  /** who may be at the other end */
  readonly gate: Gate;
  /** who is there */
  readonly #neighbourhood: Neighbourhood;

  readonly #evb: EvbAgreement;
  /** EVB is negotiated: ECP and VDP may send. */
  #connected = false;
  readonly #vdp: VdpCarrier;
  readonly #ecp: Ecp;

  readonly #ignored = new IgnoreLog();
  #lldpFrames = { sent: 0, received: 0 };

  /** Queues up to `outboxLimit` TLVs. */
  constructor(role: EvbRole, options: AdjacencyOptions, outboxLimit: number, user: AdjacencyUser) {
    this.#role = role;
    this.#options = options;
    this.#user = user;
    const isUsed = () => user.vsis().held > 0;
    this.gate = new Gate(role, options, isUsed, (...what) => this.#ignore(...what));
    this.#intake = new Intake(options, this.gate);
    this.#neighbourhood = new Neighbourhood(this.gate, options, {
      emit: (output) => user.emit(output),
      replaced: (isSure, now) => user.replaced(isSure, now),
      ignore: (...what) => this.#ignore(...what),
    });
    this.#evb = new EvbAgreement(role, options);
    this.#vdp = new VdpCarrier({
      role,
      dialect: () => this.#dialect,
      limit: outboxLimit,
      received: (tlvs, now) => user.received(tlvs, now),
      settled: (tlvs) => user.settled(tlvs),
      malformed: (message, now) => this.#ignore('malformed', `from ${this.neighbour?.mac}: ${message}`, now),
    });
    this.#ecp = new Ecp({
      layers: { vdp: this.#vdp, 'pe-csp': droppedLayer },
      subtypes: () => this.#dialect.ecp.subtypes,
      send: (ecpdu) => this.#sendEcp(ecpdu),
      firstSequence: options.firstSequence ?? 1,
      readsAtOnce: () => this.neighbour?.systemDescription === ownSystemDescription,
    });
  }

  get operation(): EvbOperation {
    return this.#evb.operation;
  }

  get #dialect(): Dialect {
    return dialects[this.operation.dialect];
  }

  get neighbour(): Neighbour | null {
    return this.#neighbourhood.neighbour;
  }

  /** Why whoever has the port is believed; null: nobody has it. */
  get trust(): Trust | null {
    return this.#neighbourhood.trust;
  }

  get otherNeighbours(): readonly OtherNeighbour[] {
    return this.#neighbourhood.others;
  }

  get secondStation(): SecondStation | null {
    return this.#neighbourhood.secondStation;
  }

  /** A second station spoke, and since then the link was not down. */
  get isDisabled(): boolean {
    return this.#neighbourhood.isDisabled;
  }

  get counters() {
    return {
      lldp: { ...this.#lldpFrames },
      ecp: this.#ecp.counters,
      ecpByLayer: this.#ecp.countersByLayer,
      ignored: this.#ignored.counters(),
    };
  }

  /** The S-channels that the station has been given. */
  get sChannels(): readonly SChannel[] {
    return this.#evb.channels?.channels ?? [];
  }

  get isUp(): boolean {
    return this.#up;
  }

  linkUp(now: number): void {
    if (this.#up || this.isDisabled) return;
    this.#up = true;
    this.gate.open(now);
    this.#lldp.start(now);
    this.#run(now);
  }

  linkDown(now: number): void {
    this.#close(now);
    this.#neighbourhood.linkDown(now);
  }

  #close(now: number): void {
    this.#lldp.stop();
    this.#lose(now);
    this.#neighbourhood.loseOthers();
    this.#up = false;
  }

  /** Unsigned frames count again, although some were signed here. */
  unpin(now: number): void {
    this.#neighbourhood.unpin(now);
  }

  /** Whoever speaks next is the neighbour, and what is held here is his. */
  forget(now: number): void {
    this.#lose(now);
    this.#neighbourhood.forget();
    this.#run(now);
  }

  /** There are other keys, some where there were none, or none any more: LLDP says so, and with which one it is signed now. */
  keysChanged(now: number): void {
    this.#lldp.changed(now);
    this.#run(now);
  }

  /** Says good-bye to the neighbour (an LLDPDU with TTL 0); VSIs stay as they are at the other end. */
  shutdown(now: number): void {
    if (this.#up) this.#sendLldp(0);
    this.#close(now);
  }

  /** False if there is nobody to send to, or too much waits already. */
  put(tlv: AssociationTlv): boolean {
    return this.#connected && this.#vdp.put(tlv);
  }

  /** The answers about the VSI that were `put` are out of date, and not said any more. */
  withdraw(vsiId: VsiId): void {
    this.#vdp.withdraw(vsiId);
  }

  /** Sends what `put` left, as far as ECP may now. */
  flush(now: number): void {
    const { renumbersRepeats } = this.#dialect.ecp;
    if (this.#connected) this.#ecp.run(this.operation.timing, renumbersRepeats, now);
  }

  receive(bytes: Uint8Array, now: number): void {
    const decoded = decodeFrame(bytes);
    if (!decoded.ok) return this.#ignore('malformed', decoded.error.message, now);
    const frame = decoded.value;
    const { source, destination, etherType } = frame;
    const agent = etherType === etherTypes.lldp ? listenerOf(destination) : null;
    const isLldp = etherType === etherTypes.lldp && destination === nearestCustomerBridge;
    const refusal = this.#refusal(frame, isLldp || agent !== null);
    if (refusal) return this.#ignore(refusal, `from ${source}`, now);
    if (!this.#intake.takes(frame, isLldp, agent !== null, now))
      return this.#ignore('rate limit', `from ${source}`, now);
    if (etherType === etherTypes.lldp) this.#receiveLldp(bytes, frame, agent, now);
    else this.#receiveEcp(bytes, frame, now);
    this.#run(now);
  }

  /** This machine did not run for a while: who could not be heard is awaited anew. */
  excuse(now: number): void {
    this.#neighbourhood.excuse(now);
    this.#ecp.excuse(now);
  }

  tick(now: number): void {
    if (this.#neighbourhood.isSilent(now)) this.#lose(now);
    this.#neighbourhood.expire(now);
    this.#run(now);
  }

  deadline(): number | null {
    return earliest(
      this.#lldp.deadline(),
      this.#neighbourhood.deadline(this.#up),
      this.#connected ? this.#ecp.deadline(this.operation.timing) : null,
    );
  }

  #run(now: number): void {
    if (this.#lldp.due(now)) this.#sendLldp(txTtl);
    this.flush(now);
  }

  /** Why the frame is not looked into; null: it is, if its sender has not had its share. */
  #refusal(frame: Frame, isLldp: boolean): IgnoreReason | null {
    if (this.isDisabled) return 'port disabled';
    if (!this.#up) return 'link down';
    return this.#intake.refusal(frame, isLldp, this.neighbour?.mac, this.#dialect.ecp.etherType);
  }

  #receiveLldp(octets: Uint8Array, frame: Frame, agent: ListeningAgent | null, now: number): void {
    const { source, payload } = frame;
    const decoded = decodeLldpdu(payload);
    if (!decoded.ok) return this.#ignore('malformed', `from ${source}: ${decoded.error.message}`, now);
    const lldpdu = decoded.value;
    if (agent) return this.#neighbourhood.hearOther(agent, source, lldpdu, now);
    const hearing = this.#neighbourhood.hear(octets, frame, lldpdu, now);
    if (hearing.kind === 'neighbour') this.#hear(hearing.speaker, hearing, lldpdu, now);
    else if (hearing.kind === 'second speaker') this.#hearSecond(hearing.speaker, lldpdu, now);
    else if (hearing.isInvited) this.#lldp.changed(now);
  }

  /** LLDP to the station's address from another than the one whose place it is. */
  #hearSecond(speaker: Speaker, lldpdu: Lldpdu, now: number): void {
    if (lldpdu.ttl === 0 || this.#evb.read(lldpdu) === null)
      return this.#ignore('not the neighbour', `from ${speaker.mac}`, now);
    const second = this.#neighbourhood.hearSecond(speaker, now);
    if (second.portDown) this.#disable(second, now);
  }

  #disable(by: SecondStation, now: number): void {
    this.#sendLldp(0);
    this.#close(now);
    this.#user.disabled();
    this.#user.emit({ kind: 'disabled', by });
  }

  /** LLDP from the neighbour, or from who may become it. */
  #hear(speaker: Speaker, meeting: Meeting, lldpdu: Lldpdu, now: number): void {
    this.#lldpFrames.received++;
    const isHolder = this.gate.isHolder(speaker);
    if (lldpdu.ttl === 0) {
      if (isHolder) this.#leave(now);
      return;
    }
    const heard = this.#evb.read(lldpdu);
    if (heard === null) {
      if (isHolder && this.neighbour) this.#lose(now);
      return this.#ignore('no EVB counterpart', `from ${speaker.mac}`, now);
    }
    if (!isHolder && this.neighbour) this.#lose(now);
    this.#evb.assign(lldpdu);
    if (this.neighbour === null) this.#lldp.start(now);
    this.#neighbourhood.meet(speaker, meeting, lldpdu, now);
    if (meeting.restarted || this.#evb.isForgotten(heard)) this.#restarted(now);
    const before = this.operation;
    this.#evb.agree(heard);
    this.#agreed(before, now);
  }

  /** The neighbour does not know any more what it knew: its ECP begins anew. */
  #restarted(now: number): void {
    this.#disconnect();
    this.#lldp.start(now);
  }

  /** The neighbour says good-bye, or somebody in its name. */
  #leave(now: number): void {
    this.#lose(now);
    this.#neighbourhood.left(now);
  }

  #lose(now: number): void {
    this.#disconnect();
    this.#neighbourhood.lose(now);
    const before = this.operation;
    this.#evb.lose();
    this.#agreed(before, now);
  }

  /** What was agreed on `before` may be something else now. */
  #agreed(before: EvbOperation, now: number): void {
    const { operation } = this;
    if (before.dialect !== operation.dialect) this.#disconnect();
    if (!equal(this.#announced, encodeLldpTlvs(this.#tlvs()))) this.#lldp.changed(now);
    if (!sameOperation(before, operation)) this.#user.emit({ kind: 'evb', ...operation });
    if (operation.negotiated && !this.#connected) {
      this.#connected = true;
      this.#user.connected(now);
    } else if (!operation.negotiated) this.#disconnect();
  }

  #disconnect(): void {
    const wasConnected = this.#connected;
    this.#connected = false;
    this.#ecp.reset();
    if (!wasConnected) return;
    this.#vdp.clear();
    this.#user.disconnected();
  }

  #receiveEcp(octets: Uint8Array, { source, payload }: Frame, now: number): void {
    const decoded = this.#dialect.ecp.decode(payload);
    if (!decoded.ok) return this.#ignore('malformed', `from ${source}: ${decoded.error.message}`, now);
    const ecpdu = decoded.value;
    // Neither acknowledged, as lldpad has it: to the sender this is no end of what it speaks.
    if (!this.#ecp.knows(ecpdu.subtype))
      return this.#ignore('unknown ECP subtype', `from ${source}: ${ecpdu.subtype}`, now);
    // Not acknowledged: what it asks could not be answered yet, and it will send again.
    if (ecpdu.operation === 'request' && !this.#connected)
      return this.#ignore('not the neighbour', `from ${source}: EVB is not negotiated`, now);
    // Acknowledgements are not signed, and end no more than the repeats: what was asked is done by the answer.
    const taken =
      ecpdu.operation === 'request' ? this.#neighbourhood.take(octets, ecpdu.payload, now) : 'fresh';
    if (taken === 'repeated') this.#ecp.repeated(ecpdu);
    else if (taken === 'fresh') this.#ecp.receive(ecpdu, now);
  }

  #sendEcp(ecpdu: Ecpdu): void {
    const { ecp } = this.#dialect;
    this.#send(ecp.destination, ecp.etherType, ecp.encode(ecpdu), ecpdu.operation === 'request');
  }

  #sendLldp(ttl: number): void {
    const tlvs = this.#tlvs();
    this.#announced = encodeLldpTlvs(tlvs);
    this.#lldpFrames.sent++;
    this.#send(nearestCustomerBridge, etherTypes.lldp, announcement(this.#options, ttl, tlvs), true);
  }

  /** What a change of makes an LLDPDU due; its signature, which always changes, does not. */
  #tlvs(): LldpTlv[] {
    const evb = this.#evb.tlvs(this.#user.vsis());
    const tlvs = announcedTlvs(this.#role, this.#options, evb, this.#evb.channels);
    return this.gate.isOffered ? [...tlvs, offer] : tlvs;
  }

  #send(destination: MacAddress, etherType: number, payload: Uint8Array, isSigned: boolean): void {
    const frame = { destination, source: this.#options.mac, etherType, payload };
    this.#user.emit({ kind: 'send', frame: isSigned ? this.gate.sign(frame) : encodeFrame(frame) });
  }

  #ignore(reason: IgnoreReason, detail: string, now: number): void {
    const report = this.#ignored.note(reason, detail, now);
    if (report) this.#user.emit(report);
  }
}
