import type { MacAddress } from '../domain/mac-address.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import { announcedTlvs, announcement, ownSystemDescription, type Identity } from './announcement.ts';
import { earliest } from './deadline.ts';
import { dialects, type Dialect } from './dialect.ts';
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
import { equal } from './octets.ts';
import { SourceShares } from './source-shares.ts';
import { TokenBucket, type TokenRate } from './token-bucket.ts';
import type { Trust } from './trust.ts';
import { VdpCarrier } from './vdp/carrier.ts';
import type { AssociationTlv, VdpTlv } from './vdp/tlv.ts';

export interface AdjacencyOptions extends Identity {
  /** the S-VLANs to offer (bridge); the default is the default channel alone */
  readonly sChannels?: SChannelPool;
  readonly evb: EvbParameters;
  /** whether an address belongs to a VM at this port; nothing from it is ever taken */
  readonly isVsiAddress?: (mac: MacAddress) => boolean;
  /** ECPDUs taken per second, and sources that LLDP is heard from anew; the default is 2,000, after a burst of 8,000 */
  readonly controlFrames?: TokenRate;
  /**
   * Whose place a bridge's port is, as the agent remembers it (`BridgePort.station` of its last run): no other becomes
   * the station until an LLDPDU's TTL has passed without this one, unless the first that is told is `linkDown`.
   */
  readonly station?: MacAddress;
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
  | Ignored;

/** The VDP machine on top. */
export interface AdjacencyUser {
  emit(output: AdjacencyOutput): void;
  /** EVB is negotiated: TLVs can be sent. */
  connected(now: number): void;
  /** They cannot any more; what was queued is lost. */
  disconnected(): void;
  /** The neighbour is another machine than the one before. */
  replaced(): void;
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
 * What bridge and station have in common at either end of a link: LLDP finds the neighbour and pins its address, EVB
 * agrees on timers and reflective relay, and ECP carries VDP between the two. The caller runs `tick` at `deadline`.
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
  /** whose control frames count, until link down or TTL 0; of a bridge only while it is heard */
  #pinned: MacAddress | null = null;
  /** when the place of a station that is remembered, and was not heard since, is free */
  #pinExpires: number | null = null;
  /** to be pinned by the first `linkUp` */
  #remembered: MacAddress | null;
  #secondStation: SecondStation | null = null;
  readonly #listener: LldpListener;
  /** the last neighbour's address, also when it is gone */
  #lastMac: MacAddress | null;

  #evb: HeardEvb = nothingHeard;
  #operation: EvbOperation;
  #connected = false;
  /** the answer to the station's last CDCP TLV */
  #channels: CdcpTlv | null = null;

  readonly #vdp: VdpCarrier;
  readonly #ecp: Ecp;

  /** the neighbour's ECPDUs */
  readonly #ecpdus: TokenBucket;
  /** LLDPDUs of the neighbour, or of each who may become it: a VM that floods must not keep the station out */
  readonly #lldpdus: SourceShares;
  /** LLDPDUs of all others */
  readonly #otherLldpdus = new TokenBucket(lldpdus);
  readonly #ignored = new IgnoreLog();
  #lldpFrames = { sent: 0, received: 0 };

  /** Queues up to `outboxLimit` TLVs. */
  constructor(role: EvbRole, options: AdjacencyOptions, outboxLimit: number, user: AdjacencyUser) {
    this.#role = role;
    this.#options = options;
    this.#user = user;
    this.#remembered = this.#lastMac = options.station ?? null;
    this.#operation = evbOperation(role, options.evb, nothingHeard);
    const { controlFrames = defaultControlFrames } = options;
    this.#ecpdus = new TokenBucket(controlFrames);
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
      malformed: (message, now) => this.#ignore('malformed', `from ${this.#pinned}: ${message}`, now),
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

  get pinned(): MacAddress | null {
    return this.#pinned;
  }

  /** Why the neighbour is believed; null: there is none. */
  get trust(): Trust | null {
    return this.#pinned ? 'first use' : null;
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
    if (this.#remembered) {
      this.#pinned = this.#remembered;
      this.#pinExpires = now + txTtl * 1_000;
      this.#remembered = null;
    }
    this.#lldp.start(now);
    this.#run(now);
  }

  linkDown(now: number): void {
    this.#close(now);
    this.#pinned = this.#remembered = this.#secondStation = null;
  }

  #close(now: number): void {
    this.#lldp.stop();
    this.#lose(now);
    this.#pinExpires = null;
    this.#listener.clear();
    this.#up = false;
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
    const isOther = agent !== null || (this.#pinned !== null && this.#pinned !== source);
    if (!this.#isTaken(source, isLldp, isOther, now))
      return this.#ignore('rate limit', `from ${source}`, now);
    if (etherType === etherTypes.lldp) this.#receiveLldp(frame, { agent, isOther }, now);
    else this.#receiveEcp(frame, now);
    this.#run(now);
  }

  /** This machine did not run for a while: who could not be heard is awaited anew. */
  excuse(now: number): void {
    const anew = now + txTtl * 1_000;
    if (this.#neighbourExpires !== null) this.#neighbourExpires = Math.max(this.#neighbourExpires, anew);
    if (this.#pinExpires !== null) this.#pinExpires = Math.max(this.#pinExpires, anew);
    this.#listener.excuse(anew);
    this.#ecp.excuse(now);
  }

  tick(now: number): void {
    if (this.#neighbourExpires !== null && now >= this.#neighbourExpires) this.#lose(now);
    if (this.#pinExpires !== null && now >= this.#pinExpires) this.#unpin(now);
    this.#listener.expire(now);
    this.#run(now);
  }

  deadline(): number | null {
    return earliest(
      this.#lldp.deadline(),
      this.#neighbourExpires,
      this.#pinExpires,
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

  #isTaken(source: MacAddress, isLldp: boolean, isOther: boolean, now: number): boolean {
    if (isOther) return this.#otherLldpdus.take(now);
    return isLldp ? this.#lldpdus.take(source, now) : this.#ecpdus.take(now);
  }

  #receiveLldp(
    { source, payload }: Frame,
    { agent, isOther }: { readonly agent: ListeningAgent | null; readonly isOther: boolean },
    now: number,
  ): void {
    const lldpdu = decodeLldpdu(payload);
    if (!lldpdu.ok) return this.#ignore('malformed', `from ${source}: ${lldpdu.error.message}`, now);
    if (agent) this.#listen(agent, source, lldpdu.value, now);
    else if (isOther) this.#hearSecond(source, lldpdu.value, now);
    else this.#hear(source, lldpdu.value, now);
  }

  /** LLDP to an address that is no station's. */
  #listen(agent: ListeningAgent, source: MacAddress, lldpdu: Lldpdu, now: number): void {
    if (!this.#listener.hear({ agent, ...neighbourFrom(source, lldpdu) }, lldpdu.ttl, now))
      this.#ignore('too many neighbours', `from ${source}, to the ${agent}`, now);
  }

  /** LLDP to the station's address from another than the one that is pinned. */
  #hearSecond(source: MacAddress, lldpdu: Lldpdu, now: number): void {
    if (lldpdu.ttl === 0 || hearEvb(this.#role, this.#options.evb, lldpdu) === null)
      return this.#ignore('not the neighbour', `from ${source}`, now);
    const { systemName } = neighbourFrom(source, lldpdu);
    // Whose place it is was not heard yet, and may never be: the port is not given up for a memory.
    const portDown = this.#options.secondStation === 'down' && this.#pinExpires === null;
    this.#secondStation = { mac: source, systemName, at: now, portDown };
    this.#ignore('second speaker', `${source}, ${systemName ?? 'without a name'}`, now);
    if (portDown) this.#disable(this.#secondStation, now);
  }

  #disable(by: SecondStation, now: number): void {
    this.#sendLldp(0);
    this.#close(now);
    this.#user.disabled();
    this.#user.emit({ kind: 'disabled', by });
  }

  /** LLDP from the neighbour, or from who may become it. */
  #hear(source: MacAddress, lldpdu: Lldpdu, now: number): void {
    this.#lldpFrames.received++;
    if (lldpdu.ttl === 0) {
      this.#unpin(now);
      return;
    }
    const evb = hearEvb(this.#role, this.#options.evb, lldpdu);
    if (evb === null) {
      if (this.#neighbour) this.#lose(now);
      return this.#ignore('no EVB counterpart', `from ${source}`, now);
    }
    this.#channels = this.#assigned(lldpdu);
    this.#meet(neighbourFrom(source, lldpdu), now + lldpdu.ttl * 1000, now);
    if (hasForgotten(this.#role, this.#evb, evb)) this.#restarted(now);
    this.#negotiate(evb, evbOperation(this.#role, this.#options.evb, evb), now);
  }

  #assigned(lldpdu: Lldpdu): CdcpTlv | null {
    const asked =
      this.#role === 'bridge' ? findOrganizational(lldpdu, cdcpOui, cdcpSubtype, decodeCdcpTlv) : null;
    if (asked?.role !== 'station') return null;
    const { sChannels = onlyTheDefaultChannel } = this.#options;
    return assignChannels(asked, sChannels, this.#channels?.channels ?? []);
  }

  #meet(neighbour: Neighbour, expires: number, now: number): void {
    const before = this.#neighbour;
    this.#neighbour = neighbour;
    this.#pinned = neighbour.mac;
    this.#pinExpires = null;
    this.#neighbourExpires = expires;
    if (before === null) {
      this.#lldp.start(now);
      if (this.#lastMac !== null && this.#lastMac !== neighbour.mac) this.#user.replaced();
      this.#lastMac = neighbour.mac;
    }
    if (before === null || !sameNeighbour(before, neighbour))
      this.#user.emit({ kind: 'neighbour', neighbour });
  }

  /** The neighbour does not know any more what it knew: its ECP begins anew. */
  #restarted(now: number): void {
    this.#disconnect();
    this.#lldp.start(now);
  }

  /** The neighbour is gone for good, and whoever speaks next takes its place. */
  #unpin(now: number): void {
    if (this.#neighbour) this.#lose(now);
    else if (this.#pinned) this.#user.emit({ kind: 'neighbour', neighbour: null });
    this.#pinned = this.#pinExpires = null;
  }

  #lose(now: number): void {
    this.#disconnect();
    this.#neighbourExpires = null;
    // A bridge may be exchanged while the link stays; a station that is silent must not be stood in for by a VM.
    if (this.#role === 'station') this.#pinned = null;
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

  #receiveEcp({ source, payload }: Frame, now: number): void {
    const decoded = this.#dialect.ecp.decode(payload);
    if (!decoded.ok) return this.#ignore('malformed', `from ${source}: ${decoded.error.message}`, now);
    const ecpdu = decoded.value;
    // Neither acknowledged, as lldpad has it: to the sender this is no end of what it speaks.
    if (!this.#ecp.knows(ecpdu.subtype))
      return this.#ignore('unknown ECP subtype', `from ${source}: ${ecpdu.subtype}`, now);
    // Not acknowledged: what it asks could not be answered yet, and it will send again.
    if (ecpdu.operation === 'request' && !this.#connected)
      return this.#ignore('not the neighbour', `from ${source}: EVB is not negotiated`, now);
    this.#ecp.receive(ecpdu, now);
  }

  #sendEcp(ecpdu: Ecpdu): void {
    const { ecp } = this.#dialect;
    this.#send(ecp.destination, ecp.etherType, ecp.encode(ecpdu));
  }

  #sendLldp(ttl: number): void {
    const tlvs = this.#tlvs();
    this.#announced = encodeLldpTlvs(tlvs);
    this.#lldpFrames.sent++;
    this.#send(nearestCustomerBridge, etherTypes.lldp, announcement(this.#options, ttl, tlvs));
  }

  /** What a change of makes an LLDPDU due. */
  #tlvs(): LldpTlv[] {
    const evb = localEvb(this.#role, this.#options.evb, this.#evb, this.#user.vsis());
    return announcedTlvs(this.#role, this.#options, evb, this.#channels);
  }

  #send(destination: MacAddress, etherType: number, payload: Uint8Array): void {
    const frame = encodeFrame({ destination, source: this.#options.mac, etherType, payload });
    this.#user.emit({ kind: 'send', frame });
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
