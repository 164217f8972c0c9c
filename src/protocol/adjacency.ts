import type { MacAddress } from '../domain/mac-address.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import { announcedTlvs, announcement, ownSystemDescription } from './announcement.ts';
import { earliest } from '../base/deadline.ts';
import type { Dialect } from './dialect.ts';
import { dialects } from './dialects.ts';
import { droppedLayer, Ecp } from './ecp/ecp.ts';
import type { Ecpdu } from './ecp/ratified.ts';
import { decodeFrame, encodeFrame, etherTypes, nearestCustomerBridge, type Frame } from './ethernet.ts';
import {
  assignChannels,
  cdcpOui,
  cdcpSubtype,
  decodeCdcpTlv,
  onlyTheDefaultChannel,
  type CdcpTlv,
  type SChannel,
  type SChannelPool,
} from './evb/cdcp.ts';
import { evbOperation, hasForgotten, hearEvb, localEvb, nothingHeard, type HeardEvb } from './evb/evb.ts';
import type { EvbOperation, EvbParameters, VsiCount } from './evb/parameters.ts';
import type { EvbRole } from './evb/ratified.ts';
import { Gate, type GateOptions, type Meeting } from './gate.ts';
import { IgnoreLog, type Ignored, type IgnoreReason } from './ignored.ts';
import {
  listenerOf,
  LldpListener,
  type ListeningAgent,
  type OtherNeighbour,
  type OtherNeighbourChange,
} from './lldp/listener.ts';
import { neighbourFrom, sameNeighbour, type Neighbour } from './lldp/neighbour.ts';
import { findOrganizational } from './lldp/organizational.ts';
import { decodeLldpdu, encodeLldpTlvs, type Lldpdu, type LldpTlv } from './lldp/packet.ts';
import { LldpTransmitter, txTtl } from './lldp/transmitter.ts';
import { equal } from '../base/octets.ts';
import { SourceShares } from './source-shares.ts';
import type { Speaker } from './place.ts';
import { offer } from './signed/tlv.ts';
import { TokenBucket, type TokenRate } from '../base/token-bucket.ts';
import type { Trust } from './trust.ts';
import { VdpCarrier } from './vdp/carrier.ts';
import type { AssociationTlv, VdpTlv } from './vdp/tlv.ts';

export interface AdjacencyOptions extends GateOptions {
  /** the S-VLANs to offer (bridge); the default is the default channel alone */
  readonly sChannels?: SChannelPool;
  readonly evb: EvbParameters;
  /** whether an address belongs to a VM at this port; nothing from it is ever taken */
  readonly isVsiAddress?: (mac: MacAddress) => boolean;
  /** ECPDUs taken per second, and sources that LLDP is heard from anew; the default is 2,000, after a burst of 8,000 */
  readonly controlFrames?: TokenRate;
  /** what becomes of the port when a second station speaks at it; the default is "ignore" */
  readonly secondStation?: SecondStationPolicy;
  /** how many are remembered who speak LLDP to other addresses; the default is 8 */
  readonly otherNeighbours?: number;
  /** the first ECP sequence number, 1 to 65535, by chance best; the default is 1 */
  readonly firstSequence?: number;
}

/** "down": all is let go of, and nothing is accepted until the link was down. */
export type SecondStationPolicy = 'ignore' | 'down';

export interface SecondStation {
  readonly mac: MacAddress;
  readonly systemName: string | null;
  /** when it spoke last, in ms of the machine's clock */
  readonly at: number;
  /** the port is disabled because of it */
  readonly portDown: boolean;
}

export type AdjacencyOutput =
  | { readonly kind: 'send'; readonly frame: Uint8Array<ArrayBuffer> }
  /** who is at the other end, or null: nobody any more, or another may be now */
  | { readonly kind: 'neighbour'; readonly neighbour: Neighbour | null }
  | ({ readonly kind: 'evb' } & EvbOperation)
  | OtherNeighbourChange
  /** a second station spoke, and the policy is "down" */
  | { readonly kind: 'disabled'; readonly by: SecondStation }
  /** What the next run has to know has changed: whose place the port is, or what was verified. */
  | { readonly kind: 'place' }
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

/** With 1,000 VSIs to ask for, lldpad sends each request four times within a second, and not one again after that. */
const defaultControlFrames: TokenRate = { rate: 2_000, burst: 8_000 };
/** Of LLDPDUs so many are looked into: what well-behaved ones send, and not more. */
const lldpdus: TokenRate = { rate: 10, burst: 50 };
const defaultOtherNeighbours = 8;

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
  #neighbour: Neighbour | null = null;
  #neighbourExpires: number | null = null;
  /** who that may be */
  readonly gate: Gate;
  #secondStation: SecondStation | null = null;
  readonly #listener: LldpListener;

  #evb: HeardEvb = nothingHeard;
  #operation: EvbOperation;
  #connected = false;
  /** the answer to the station's last CDCP TLV */
  #channels: CdcpTlv | null = null;

  readonly #vdp: VdpCarrier;
  readonly #ecp: Ecp;

  /** the neighbour's ECPDUs */
  readonly #ecpdus: TokenBucket;
  /** LLDPDUs of each who is the neighbour, or may become it: a VM that floods must not keep the station out */
  readonly #lldpdus: SourceShares;
  /** those with a signature, beyond that */
  readonly #signedLldpdus: TokenBucket;
  /** LLDPDUs to addresses that are no station's */
  readonly #otherLldpdus = new TokenBucket(lldpdus);
  readonly #ignored = new IgnoreLog();
  #lldpFrames = { sent: 0, received: 0 };

  /** Queues up to `outboxLimit` TLVs. */
  constructor(role: EvbRole, options: AdjacencyOptions, outboxLimit: number, user: AdjacencyUser) {
    this.#role = role;
    this.#options = options;
    this.#user = user;
    const isUsed = () => user.vsis().held > 0;
    this.gate = new Gate(role, options, isUsed, (...what) => this.#ignore(...what));
    this.#operation = evbOperation(role, options.evb, nothingHeard);
    const { controlFrames = defaultControlFrames } = options;
    this.#ecpdus = new TokenBucket(controlFrames);
    this.#signedLldpdus = new TokenBucket(controlFrames);
    this.#lldpdus = new SourceShares(lldpdus, controlFrames);
    this.#listener = new LldpListener(options.otherNeighbours ?? defaultOtherNeighbours, (change) =>
      user.emit(change),
    );
    this.#vdp = new VdpCarrier({
      role,
      dialect: () => this.#dialect,
      limit: outboxLimit,
      received: (tlvs, now) => user.received(tlvs, now),
      settled: (tlvs) => user.settled(tlvs),
      malformed: (message, now) => this.#ignore('malformed', `from ${this.#neighbour?.mac}: ${message}`, now),
    });
    this.#ecp = new Ecp({
      layers: { vdp: this.#vdp, 'pe-csp': droppedLayer },
      subtypes: () => this.#dialect.ecp.subtypes,
      send: (ecpdu) => this.#sendEcp(ecpdu),
      firstSequence: options.firstSequence ?? 1,
      readsAtOnce: () => this.#neighbour?.systemDescription === ownSystemDescription,
    });
  }

  get operation(): EvbOperation {
    return this.#operation;
  }

  get #dialect(): Dialect {
    return dialects[this.#operation.dialect];
  }

  get neighbour(): Neighbour | null {
    return this.#neighbour;
  }

  /** Why whoever has the port is believed; null: nobody has it. */
  get trust(): Trust | null {
    return this.gate.trust(this.#neighbour !== null);
  }

  get otherNeighbours(): readonly OtherNeighbour[] {
    return this.#listener.neighbours;
  }

  get secondStation(): SecondStation | null {
    return this.#secondStation;
  }

  /** A second station spoke, and since then the link was not down. */
  get isDisabled(): boolean {
    return this.#secondStation?.portDown === true;
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
    return this.#channels?.channels ?? [];
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
    this.gate.lose('left', now);
    this.#secondStation = null;
  }

  #close(now: number): void {
    this.#lldp.stop();
    this.#lose(now);
    this.#listener.clear();
    this.#up = false;
  }

  /** Unsigned frames count again, although some were signed here. */
  unpin(now: number): void {
    this.gate.unpin(this.#neighbour !== null, now);
    this.#user.emit({ kind: 'place' });
  }

  /** Whoever speaks next is the neighbour, and what is held here is his. */
  forget(now: number): void {
    this.#lose(now);
    this.gate.forget();
    this.#secondStation = null;
    this.#user.emit({ kind: 'place' });
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
    if (this.#connected) this.#ecp.run(this.#operation.timing, renumbersRepeats, now);
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
    if (!this.#isTaken(frame, isLldp, agent !== null, now))
      return this.#ignore('rate limit', `from ${source}`, now);
    if (etherType === etherTypes.lldp) this.#receiveLldp(bytes, frame, agent, now);
    else this.#receiveEcp(bytes, frame, now);
    this.#run(now);
  }

  /** This machine did not run for a while: who could not be heard is awaited anew. */
  excuse(now: number): void {
    const anew = now + txTtl * 1_000;
    if (this.#neighbourExpires !== null) this.#neighbourExpires = Math.max(this.#neighbourExpires, anew);
    this.gate.excuse(now);
    this.#listener.excuse(anew);
    this.#ecp.excuse(now);
  }

  tick(now: number): void {
    if (this.#neighbourExpires !== null && now >= this.#neighbourExpires) this.#lose(now);
    if (this.gate.expire(now)) this.#user.emit({ kind: 'place' });
    this.#listener.expire(now);
    this.#run(now);
  }

  deadline(): number | null {
    return earliest(
      this.#lldp.deadline(),
      this.#neighbourExpires,
      this.#up ? this.gate.heldUntil : null,
      this.#listener.deadline(),
      this.#connected ? this.#ecp.deadline(this.#operation.timing) : null,
    );
  }

  #run(now: number): void {
    if (this.#lldp.due(now)) this.#sendLldp(txTtl);
    this.flush(now);
  }

  /** Decides by the header alone; what is somebody else's does not use up the neighbour's share. */
  #refusal({ destination, source, etherType }: Frame, isLldp: boolean): IgnoreReason | null {
    if (this.isDisabled) return 'port disabled';
    if (!this.#up) return 'link down';
    if (!isLldp && !isEcp(destination, etherType)) return 'not a control frame';
    if (source === this.#options.mac) return 'own frame';
    if (this.#options.isVsiAddress?.(source)) return 'VSI address';
    if (isLldp) return null;
    if (source !== this.#neighbour?.mac) return 'not the neighbour';
    return etherType === this.#dialect.ecp.etherType ? null : 'other dialect';
  }

  #isTaken({ source, payload }: Frame, isLldp: boolean, isOther: boolean, now: number): boolean {
    if (isOther) return this.#otherLldpdus.take(now);
    if (!isLldp) return this.#ecpdus.take(now);
    return (
      this.#lldpdus.take(source, now) || (this.gate.mayBeSigned(payload) && this.#signedLldpdus.take(now))
    );
  }

  #receiveLldp(octets: Uint8Array, frame: Frame, agent: ListeningAgent | null, now: number): void {
    const { source, payload } = frame;
    const decoded = decodeLldpdu(payload);
    if (!decoded.ok) return this.#ignore('malformed', `from ${source}: ${decoded.error.message}`, now);
    const lldpdu = decoded.value;
    if (agent) return this.#listen(agent, source, lldpdu, now);
    const hearing = this.gate.hear(octets, frame, lldpdu, this.#neighbour !== null, now);
    if (hearing.kind === 'neighbour') this.#hear(hearing.speaker, hearing, lldpdu, now);
    else if (hearing.kind === 'second speaker') this.#hearSecond(hearing.speaker, lldpdu, now);
    else if (hearing.isInvited) this.#lldp.changed(now);
  }

  /** LLDP to an address that is no station's. */
  #listen(agent: ListeningAgent, source: MacAddress, lldpdu: Lldpdu, now: number): void {
    if (!this.#listener.hear({ agent, ...neighbourFrom(source, lldpdu) }, lldpdu.ttl, now))
      this.#ignore('too many neighbours', `from ${source}, to the ${agent}`, now);
  }

  /** LLDP to the station's address from another than the one whose place it is. */
  #hearSecond({ mac, name: systemName }: Speaker, lldpdu: Lldpdu, now: number): void {
    if (lldpdu.ttl === 0 || hearEvb(this.#role, this.#options.evb, lldpdu) === null)
      return this.#ignore('not the neighbour', `from ${mac}`, now);
    // Whose place it is may never be heard again: the port is not given up for a memory.
    const portDown = this.#options.secondStation === 'down' && this.#neighbour !== null;
    this.#secondStation = { mac, systemName, at: now, portDown };
    this.#ignore('second speaker', `${mac}, ${systemName ?? 'without a name'}`, now);
    if (portDown) this.#disable(this.#secondStation, now);
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
    const evb = hearEvb(this.#role, this.#options.evb, lldpdu);
    if (evb === null) {
      if (isHolder && this.#neighbour) this.#lose(now);
      return this.#ignore('no EVB counterpart', `from ${speaker.mac}`, now);
    }
    if (!isHolder && this.#neighbour) this.#lose(now);
    this.#channels = this.#assigned(lldpdu);
    this.#meet(speaker, meeting, lldpdu, now);
    if (meeting.restarted || hasForgotten(this.#role, this.#evb, evb)) this.#restarted(now);
    this.#negotiate(evb, evbOperation(this.#role, this.#options.evb, evb), now);
  }

  #assigned(lldpdu: Lldpdu): CdcpTlv | null {
    const asked =
      this.#role === 'bridge' ? findOrganizational(lldpdu, cdcpOui, cdcpSubtype, decodeCdcpTlv) : null;
    if (asked?.role !== 'station') return null;
    const { sChannels = onlyTheDefaultChannel } = this.#options;
    return assignChannels(asked, sChannels, this.#channels?.channels ?? []);
  }

  #meet(speaker: Speaker, meeting: Meeting, lldpdu: Lldpdu, now: number): void {
    const before = this.#neighbour;
    const neighbour = neighbourFrom(speaker.mac, lldpdu);
    this.#neighbour = neighbour;
    this.#neighbourExpires = now + lldpdu.ttl * 1000;
    if (before === null) this.#lldp.start(now);
    if (this.gate.meet(speaker, meeting, lldpdu)) this.#user.replaced(meeting.isSure, now);
    if (before === null || !sameNeighbour(before, neighbour))
      this.#user.emit({ kind: 'neighbour', neighbour });
    if (before === null || meeting.isSure) this.#user.emit({ kind: 'place' });
  }

  /** The neighbour does not know any more what it knew: its ECP begins anew. */
  #restarted(now: number): void {
    this.#disconnect();
    this.#lldp.start(now);
  }

  /** The neighbour says good-bye, or somebody in its name. */
  #leave(now: number): void {
    this.#lose(now);
    this.gate.lose('left', now);
    this.#user.emit({ kind: 'place' });
  }

  #lose(now: number): void {
    this.#disconnect();
    this.#neighbourExpires = null;
    this.gate.lose('silent', now);
    this.#channels = null;
    if (this.#neighbour !== null) {
      this.#neighbour = null;
      this.#user.emit({ kind: 'neighbour', neighbour: null });
    }
    // What is held goes on by the times that were agreed on, so that a short silence costs nothing.
    const lost = { negotiated: false, reflectiveRelay: false, groupIds: false };
    this.#negotiate(nothingHeard, { ...this.#operation, ...lost }, now);
  }

  #negotiate(evb: HeardEvb, operation: EvbOperation, now: number): void {
    this.#evb = evb;
    const before = this.#operation;
    if (before.dialect !== operation.dialect) this.#disconnect();
    this.#operation = operation;
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
    const { holder } = this.gate;
    const taken = ecpdu.operation === 'request' ? this.gate.take(octets, ecpdu.payload, now) : 'fresh';
    if (this.gate.holder !== holder) this.#user.emit({ kind: 'place' });
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
    const evb = localEvb(this.#role, this.#options.evb, this.#evb, this.#user.vsis());
    const tlvs = announcedTlvs(this.#role, this.#options, evb, this.#channels);
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

/** Whether ECPDUs of either dialect travel like this. */
function isEcp(destination: MacAddress, etherType: number): boolean {
  return Object.values(dialects).some(
    ({ ecp }) => etherType === ecp.etherType && destination === ecp.destination,
  );
}

function sameOperation(a: EvbOperation, b: EvbOperation): boolean {
  return (
    a.negotiated === b.negotiated &&
    a.dialect === b.dialect &&
    a.reflectiveRelay === b.reflectiveRelay &&
    a.groupIds === b.groupIds &&
    a.timers?.retries === b.timers?.retries &&
    a.timers?.rte === b.timers?.rte &&
    a.timers?.rwd === b.timers?.rwd &&
    a.timers?.rka === b.timers?.rka
  );
}
