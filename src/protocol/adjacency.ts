import { macToBytes, type MacAddress } from '../domain/mac-address.ts';
import type { ManagerId } from '../domain/manager-id.ts';
import { earliest } from './deadline.ts';
import { EcpReceiver } from './ecp/receiver.ts';
import { decodeEcpdu, encodeEcpdu, vdpSubtype, type Ecpdu } from './ecp/ratified.ts';
import { EcpTransmitter } from './ecp/transmitter.ts';
import { decodeFrame, encodeFrame, etherTypes, nearestCustomerBridge, type Frame } from './ethernet.ts';
import { forgot, localTlv, operation, type EvbOperation, type EvbParameters } from './evb/negotiation.ts';
import { decodeEvbTlv, encodeEvbTlv, evbOui, evbSubtype, type EvbRole, type EvbTlv } from './evb/ratified.ts';
import { IgnoreLog, type Ignored, type IgnoreReason } from './ignored.ts';
import { neighbourFrom, sameNeighbour, type Neighbour } from './lldp/neighbour.ts';
import { decodeLldpdu, encodeLldpdu, type Lldpdu, type LldpTlv } from './lldp/packet.ts';
import { LldpTransmitter, txTtl } from './lldp/transmitter.ts';
import { equal } from './octets.ts';
import { TokenBucket, type TokenRate } from './token-bucket.ts';
import { VdpOutbox } from './vdp/outbox.ts';
import { decodeVdpdu, type AssociationTlv, type Vdpdu } from './vdp/ratified.ts';

export interface AdjacencyOptions {
  /** source of the frames sent */
  readonly mac: MacAddress;
  readonly systemName: string;
  /** the interface's name: the port id that the neighbour sees */
  readonly portId: string;
  readonly evb: EvbParameters;
  /** whether an address belongs to a VM at this port; nothing from it is ever taken */
  readonly isVsiAddress?: (mac: MacAddress) => boolean;
  /** control frames taken per second; the default is 2,000 in bursts of 500 */
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
  received(vdpdu: Vdpdu, now: number): void;
  /** ECP is done with these TLVs, acknowledged or not. */
  settled(tlvs: readonly AssociationTlv[]): void;
}

const defaultControlFrames: TokenRate = { rate: 2_000, burst: 500 };
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

  #evb: EvbTlv | null = null;
  #operation: EvbOperation;
  #connected = false;

  readonly #outbox: VdpOutbox;
  readonly #ecpTransmitter: EcpTransmitter;
  readonly #ecpReceiver = new EcpReceiver();
  #inFlight: readonly AssociationTlv[] = [];

  readonly #bucket: TokenBucket;
  readonly #ignored = new IgnoreLog();
  #lldpFrames = { sent: 0, received: 0 };

  /** Queues up to `outboxLimit` TLVs. */
  constructor(role: EvbRole, options: AdjacencyOptions, outboxLimit: number, user: AdjacencyUser) {
    this.#role = role;
    this.#options = options;
    this.#user = user;
    this.#operation = operation(role, options.evb, null);
    this.#bucket = new TokenBucket(options.controlFrames ?? defaultControlFrames);
    this.#outbox = new VdpOutbox(outboxLimit);
    this.#ecpTransmitter = new EcpTransmitter(
      {
        hasMore: () => this.#outbox.size > 0,
        pull: () => {
          const gathered = this.#outbox.take();
          this.#inFlight = gathered?.tlvs ?? [];
          return gathered?.payload ?? null;
        },
        send: (sequence, payload) =>
          this.#sendEcp({ operation: 'request', subtype: vdpSubtype, sequence, payload }),
        settled: () => this.#user.settled(this.#inFlight),
      },
      options.firstSequence ?? 1,
    );
  }

  get operation(): EvbOperation {
    return this.#operation;
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
  put(managerId: ManagerId, tlv: AssociationTlv): boolean {
    return this.#connected && this.#outbox.put(managerId, tlv);
  }

  /** Sends what `put` left, as far as ECP may now. */
  flush(now: number): void {
    if (this.#connected) this.#ecpTransmitter.run(this.#operation.timers, now);
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
      this.#connected ? this.#ecpTransmitter.deadline(this.#operation.timers) : null,
    );
  }

  #run(now: number): void {
    if (this.#lldp.due(now)) this.#sendLldp(txTtl);
    this.flush(now);
  }

  /** Decides by the header alone; what is somebody else's does not use up the neighbour's share. */
  #refusal({ destination, source, etherType }: Frame, now: number): IgnoreReason | null {
    if (!this.#up) return 'link down';
    if (destination !== nearestCustomerBridge) return 'not a control frame';
    if (etherType !== etherTypes.lldp && etherType !== etherTypes.ecp) return 'not a control frame';
    if (source === this.#options.mac) return 'own frame';
    if (this.#options.isVsiAddress?.(source)) return 'VSI address';
    if (source !== this.#neighbour?.mac && (this.#neighbour !== null || etherType === etherTypes.ecp))
      return 'not the neighbour';
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
    const evb = findEvb(lldpdu);
    if (evb === null || evb.mode === this.#role) {
      if (this.#neighbour) this.#lose(now);
      return this.#ignore('no EVB counterpart', `from ${source}`, now);
    }
    this.#meet(neighbourFrom(source, lldpdu), now + lldpdu.ttl * 1000, now);
    if (this.#evb !== null && forgot(this.#role, this.#evb, evb)) this.#restarted(now);
    this.#negotiate(evb, now);
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
    if (this.#neighbour !== null) {
      this.#neighbour = null;
      this.#user.emit({ kind: 'neighbour', neighbour: null });
    }
    this.#negotiate(null, now);
  }

  #negotiate(evb: EvbTlv | null, now: number): void {
    this.#evb = evb;
    const before = this.#operation;
    this.#operation = operation(this.#role, this.#options.evb, evb);
    if (!equal(this.#announced, this.#evbTlv())) this.#lldp.changed(now);
    if (!sameOperation(before, this.#operation)) this.#user.emit({ kind: 'evb', ...this.#operation });
    if (this.#operation.negotiated && !this.#connected) {
      this.#connected = true;
      this.#user.connected(now);
    } else if (!this.#operation.negotiated) this.#disconnect();
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
    const decoded = decodeEcpdu(payload);
    if (!decoded.ok) return this.#ignore('malformed', `from ${source}: ${decoded.error.message}`, now);
    const ecpdu = decoded.value;
    if (ecpdu.subtype !== vdpSubtype)
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
    const vdpdu = decodeVdpdu(ecpdu.payload);
    if (vdpdu.ok) this.#user.received(vdpdu.value, now);
    else this.#ignore('malformed', `from ${source}: ${vdpdu.error.message}`, now);
  }

  #sendEcp(ecpdu: Ecpdu): void {
    this.#send(etherTypes.ecp, encodeEcpdu(ecpdu));
  }

  #sendLldp(ttl: number): void {
    const info = this.#evbTlv();
    this.#announced = info;
    this.#lldpFrames.sent++;
    const evb: LldpTlv = { kind: 'organizational', oui: evbOui, subtype: evbSubtype, info };
    const { mac, portId, systemName } = this.#options;
    this.#send(
      etherTypes.lldp,
      encodeLldpdu({
        chassisId: { subtype: subtypes.macAddress, id: macToBytes(mac) },
        portId: { subtype: subtypes.interfaceName, id: new TextEncoder().encode(portId) },
        ttl,
        tlvs: ttl === 0 ? [] : [{ kind: 'system name', text: systemName }, evb],
      }),
    );
  }

  #evbTlv(): Uint8Array {
    return encodeEvbTlv(localTlv(this.#role, this.#options.evb, this.#evb));
  }

  #send(etherType: number, payload: Uint8Array): void {
    const frame = encodeFrame({
      destination: nearestCustomerBridge,
      source: this.#options.mac,
      etherType,
      payload,
    });
    this.#user.emit({ kind: 'send', frame });
  }

  #ignore(reason: IgnoreReason, detail: string, now: number): void {
    const report = this.#ignored.note(reason, detail, now);
    if (report) this.#user.emit(report);
  }
}

/** A TLV that is not exactly an EVB TLV is none. */
function findEvb({ tlvs }: Lldpdu): EvbTlv | null {
  for (const tlv of tlvs)
    if (tlv.kind === 'organizational' && tlv.oui === evbOui && tlv.subtype === evbSubtype) {
      const evb = decodeEvbTlv(tlv.info);
      return evb.ok ? evb.value : null;
    }
  return null;
}

function sameOperation(a: EvbOperation, b: EvbOperation): boolean {
  return (
    a.negotiated === b.negotiated &&
    a.reflectiveRelay === b.reflectiveRelay &&
    a.groupIds === b.groupIds &&
    a.timers.retries === b.timers.retries &&
    a.timers.rte === b.timers.rte &&
    a.timers.rwd === b.timers.rwd &&
    a.timers.rka === b.timers.rka
  );
}
