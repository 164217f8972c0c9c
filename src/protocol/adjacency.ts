import { macToBytes, type MacAddress } from '../domain/mac-address.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import { earliest } from './deadline.ts';
import { dialects, type Dialect } from './dialect.ts';
import { EcpReceiver } from './ecp/receiver.ts';
import type { Ecpdu } from './ecp/ratified.ts';
import { EcpTransmitter } from './ecp/transmitter.ts';
import { decodeFrame, encodeFrame, etherTypes, nearestCustomerBridge, type Frame } from './ethernet.ts';
import {
  assignChannels,
  cdcpOui,
  cdcpSubtype,
  decodeCdcpTlv,
  encodeCdcpTlv,
  onlyTheDefaultChannel,
  type CdcpTlv,
  type SChannel,
  type SChannelPool,
} from './evb/cdcp.ts';
import { evbOperation, hasForgotten, hearEvb, localEvb, nothingHeard, type HeardEvb } from './evb/evb.ts';
import type { EvbOperation, EvbParameters, VsiCount } from './evb/parameters.ts';
import type { EvbRole } from './evb/ratified.ts';
import { IgnoreLog, type Ignored, type IgnoreReason } from './ignored.ts';
import { capabilityBits } from './lldp/capabilities.ts';
import { neighbourFrom, sameNeighbour, type Neighbour } from './lldp/neighbour.ts';
import { findOrganizational, organizational } from './lldp/organizational.ts';
import { decodeLldpdu, encodeLldpdu, encodeLldpTlvs, type Lldpdu, type LldpTlv } from './lldp/packet.ts';
import { LldpTransmitter, txTtl } from './lldp/transmitter.ts';
import { equal } from './octets.ts';
import { TokenBucket, type TokenRate } from './token-bucket.ts';
import { VdpOutbox } from './vdp/outbox.ts';
import type { AssociationTlv, VdpTlv } from './vdp/tlv.ts';

export interface AdjacencyOptions {
  /** source of the frames sent */
  readonly mac: MacAddress;
  readonly systemName: string;
  /** what the neighbour is told of this system; the default is "Hairpin" */
  readonly systemDescription?: string;
  /** the S-VLANs to offer (bridge); the default is the default channel alone */
  readonly sChannels?: SChannelPool;
  /** the interface's name: the port id that the neighbour sees */
  readonly portId: string;
  readonly evb: EvbParameters;
  /** whether an address belongs to a VM at this port; nothing from it is ever taken */
  readonly isVsiAddress?: (mac: MacAddress) => boolean;
  /** control frames taken per second; the default is 2,000, after a burst of 8,000 */
  readonly controlFrames?: TokenRate;
  /** the first ECP sequence number, 1 to 65535, by chance best; the default is 1 */
  readonly firstSequence?: number;
}

export type AdjacencyOutput =
  | { readonly kind: 'send'; readonly frame: Uint8Array<ArrayBuffer> }
  /** who is at the other end, or null: nobody any more */
  | { readonly kind: 'neighbour'; readonly neighbour: Neighbour | null }
  | ({ readonly kind: 'evb' } & EvbOperation)
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
  received(tlvs: readonly VdpTlv[], now: number): void;
  /** These TLVs were acknowledged, or given up. */
  settled(tlvs: readonly AssociationTlv[]): void;
  vsis(): VsiCount;
}

/** With 1,000 VSIs to ask for, lldpad sends each request four times within a second, and not one again after that. */
const defaultControlFrames: TokenRate = { rate: 2_000, burst: 8_000 };
/** 802.1AB tables 8-2 and 8-3: chassis id by MAC address, port id by interface name. */
const subtypes = { macAddress: 4, interfaceName: 5 };

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
  /** the last neighbour's address, also when it is gone */
  #lastMac: MacAddress | null = null;

  #evb: HeardEvb = nothingHeard;
  #operation: EvbOperation;
  #connected = false;
  /** the answer to the station's last CDCP TLV */
  #channels: CdcpTlv | null = null;

  readonly #outbox: VdpOutbox;
  readonly #ecpTransmitter: EcpTransmitter;
  readonly #ecpReceiver = new EcpReceiver();

  readonly #bucket: TokenBucket;
  readonly #ignored = new IgnoreLog();
  #lldpFrames = { sent: 0, received: 0 };

  /** Queues up to `outboxLimit` TLVs. */
  constructor(role: EvbRole, options: AdjacencyOptions, outboxLimit: number, user: AdjacencyUser) {
    this.#role = role;
    this.#options = options;
    this.#user = user;
    this.#operation = evbOperation(role, options.evb, nothingHeard);
    this.#bucket = new TokenBucket(options.controlFrames ?? defaultControlFrames);
    this.#outbox = new VdpOutbox(outboxLimit);
    this.#ecpTransmitter = new EcpTransmitter(
      {
        hasMore: () => this.#outbox.size > 0,
        pull: (now) => this.#outbox.take(now),
        send: (sequence, payload) =>
          this.#sendEcp({
            operation: 'request',
            subtype: this.#dialect.ecp.vdpSubtype,
            sequence,
            payload,
          }),
        settled: (acknowledged) =>
          this.#user.settled(
            acknowledged === null
              ? this.#outbox.unacknowledged()
              : this.#outbox.acknowledged(this.#isReadLate, acknowledged),
          ),
      },
      options.firstSequence ?? 1,
    );
  }

  get operation(): EvbOperation {
    return this.#operation;
  }

  get #dialect(): Dialect {
    return dialects[this.#operation.dialect];
  }

  /** What a station says again it would have to ask for again, and may have lost since. */
  get #isReadLate(): boolean {
    return this.#role === 'bridge' && this.#dialect.vdp.isReadLate;
  }

  get neighbour(): Neighbour | null {
    return this.#neighbour;
  }

  get counters() {
    return {
      lldp: { ...this.#lldpFrames },
      ecp: { ...this.#ecpTransmitter.counters, ...this.#ecpReceiver.counters },
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
    if (this.#up) return;
    this.#up = true;
    this.#lldp.start(now);
    this.#run(now);
  }

  linkDown(now: number): void {
    this.#lldp.stop();
    this.#lose(now);
    this.#up = false;
  }

  /** Says good-bye to the neighbour (an LLDPDU with TTL 0); VSIs stay as they are at the other end. */
  shutdown(now: number): void {
    if (this.#up) this.#sendLldp(0);
    this.linkDown(now);
  }

  /** False if there is nobody to send to, or too much waits already. */
  put(tlv: AssociationTlv): boolean {
    return this.#connected && this.#outbox.put(tlv, this.#dialect);
  }

  /** The answers about the VSI that were `put` are out of date, and not said any more. */
  withdraw(vsiId: VsiId): void {
    this.#outbox.withdraw(vsiId);
  }

  /** Sends what `put` left, as far as ECP may now. */
  flush(now: number): void {
    const { renumbersRepeats } = this.#dialect.ecp;
    if (this.#connected) this.#ecpTransmitter.run(this.#operation.timing, renumbersRepeats, now);
  }

  receive(bytes: Uint8Array, now: number): void {
    const decoded = decodeFrame(bytes);
    if (!decoded.ok) return this.#ignore('malformed', decoded.error.message, now);
    const frame = decoded.value;
    const refusal = this.#refusal(frame, now);
    if (refusal) return this.#ignore(refusal, `from ${frame.source}`, now);
    if (frame.etherType === etherTypes.lldp) this.#receiveLldp(frame, now);
    else this.#receiveEcp(frame, now);
    this.#run(now);
  }

  tick(now: number): void {
    if (this.#neighbourExpires !== null && now >= this.#neighbourExpires) this.#lose(now);
    this.#run(now);
  }

  deadline(): number | null {
    return earliest(
      this.#lldp.deadline(),
      this.#neighbourExpires,
      this.#connected ? this.#ecpTransmitter.deadline(this.#operation.timing) : null,
    );
  }

  #run(now: number): void {
    if (this.#lldp.due(now)) this.#sendLldp(txTtl);
    this.flush(now);
  }

  /** Decides by the header alone; what is somebody else's does not use up the neighbour's share. */
  #refusal({ destination, source, etherType }: Frame, now: number): IgnoreReason | null {
    if (!this.#up) return 'link down';
    const isLldp = etherType === etherTypes.lldp && destination === nearestCustomerBridge;
    if (!isLldp && !isEcp(destination, etherType)) return 'not a control frame';
    if (source === this.#options.mac) return 'own frame';
    if (this.#options.isVsiAddress?.(source)) return 'VSI address';
    if (source !== this.#neighbour?.mac && (this.#neighbour !== null || !isLldp)) return 'not the neighbour';
    if (!isLldp && etherType !== this.#dialect.ecp.etherType) return 'other dialect';
    return this.#bucket.take(now) ? null : 'rate limit';
  }

  #receiveLldp({ source, payload }: Frame, now: number): void {
    const decoded = decodeLldpdu(payload);
    if (!decoded.ok) return this.#ignore('malformed', `from ${source}: ${decoded.error.message}`, now);
    const lldpdu = decoded.value;
    this.#lldpFrames.received++;
    if (lldpdu.ttl === 0) {
      if (this.#neighbour) this.#lose(now);
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

  #lose(now: number): void {
    this.#disconnect();
    this.#neighbourExpires = null;
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
    if (!equal(this.#announced, this.#announcement())) this.#lldp.changed(now);
    if (!sameOperation(before, operation)) this.#user.emit({ kind: 'evb', ...operation });
    if (operation.negotiated && !this.#connected) {
      this.#connected = true;
      this.#user.connected(now);
    } else if (!operation.negotiated) this.#disconnect();
  }

  #disconnect(): void {
    this.#ecpReceiver.reset();
    if (!this.#connected) return;
    this.#connected = false;
    this.#ecpTransmitter.reset();
    this.#outbox.clear();
    this.#user.disconnected();
  }

  #receiveEcp({ source, payload }: Frame, now: number): void {
    const { ecp, vdp } = this.#dialect;
    const decoded = ecp.decode(payload);
    if (!decoded.ok) return this.#ignore('malformed', `from ${source}: ${decoded.error.message}`, now);
    const ecpdu = decoded.value;
    if (ecpdu.subtype !== ecp.vdpSubtype)
      return this.#ignore('unknown ECP subtype', `from ${source}: ${ecpdu.subtype}`, now);
    if (ecpdu.operation === 'acknowledgement') {
      this.#ecpTransmitter.acknowledged(ecpdu.sequence, now);
      return;
    }
    // Not acknowledged: what it asks could not be answered yet, and it will send again.
    if (!this.#connected)
      return this.#ignore('not the neighbour', `from ${source}: EVB is not negotiated`, now);
    this.#sendEcp({ ...ecpdu, operation: 'acknowledgement', payload: new Uint8Array() });
    if (!this.#ecpReceiver.isNew(ecpdu.sequence, now)) return;
    const vdpdu = vdp.decode(this.#role, ecpdu.payload);
    if (vdpdu.ok) this.#user.received(vdpdu.value, now);
    else this.#ignore('malformed', `from ${source}: ${vdpdu.error.message}`, now);
  }

  #sendEcp(ecpdu: Ecpdu): void {
    const { ecp } = this.#dialect;
    this.#send(ecp.destination, ecp.etherType, ecp.encode(ecpdu));
  }

  #sendLldp(ttl: number): void {
    this.#announced = this.#announcement();
    this.#lldpFrames.sent++;
    const { mac, portId } = this.#options;
    this.#send(
      nearestCustomerBridge,
      etherTypes.lldp,
      encodeLldpdu({
        chassisId: { subtype: subtypes.macAddress, id: macToBytes(mac) },
        portId: { subtype: subtypes.interfaceName, id: new TextEncoder().encode(portId) },
        ttl,
        tlvs: ttl === 0 ? [] : this.#tlvs(),
      }),
    );
  }

  #tlvs(): LldpTlv[] {
    const { systemName, systemDescription = 'Hairpin' } = this.#options;
    const does = capabilityBits(this.#role === 'bridge' ? 'bridge' : 'station only');
    return [
      { kind: 'system name', text: systemName },
      { kind: 'system description', text: systemDescription },
      { kind: 'system capabilities', system: does, enabled: does },
      ...localEvb(this.#role, this.#options.evb, this.#evb, this.#user.vsis()),
      ...(this.#channels ? [organizational(cdcpOui, cdcpSubtype, encodeCdcpTlv(this.#channels))] : []),
    ];
  }

  /** What a change of makes an LLDPDU due. */
  #announcement(): Uint8Array {
    return encodeLldpTlvs(this.#tlvs());
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
