import { macToBytes, type MacAddress } from '../../domain/mac-address.ts';
import { dialects } from '../../protocol/dialects.ts';
import { decodeFrame, encodeFrame, nearestCustomerBridge } from '../../protocol/ethernet.ts';
import { etherTypes } from '../../domain/packet-numbers.ts';
import { encodeEvbTlv, evbOui, evbSubtype } from '../../protocol/evb/ratified.ts';
import type { EvbTimers } from '../../protocol/evb/timers.ts';
import { organizational } from '../../protocol/lldp/organizational.ts';
import { encodeLldpdu } from '../../protocol/lldp/packet.ts';
import { concat } from '../../base/octets.ts';
import type { VdpRequest } from '../../protocol/vdp/association.ts';

const { ecp, vdp } = dialects.ratified;

/** A station that remembers nothing of its VSIs, so that what a benchmark finds in memory is the bridge's. */
export class ScriptedStation {
  readonly #mac: MacAddress;
  #sequence = 0;

  constructor(mac: MacAddress) {
    this.#mac = mac;
  }

  /** Its LLDPDU: it has heard the bridge, and wants reflective relay. */
  hello(timers: EvbTimers): Uint8Array {
    const evb = encodeEvbTlv({
      mode: 'station',
      bridge: { bgid: false, rrcap: true, rrctr: true },
      station: { sgid: false, rrreq: true, rrstat: 1 },
      ...timers,
      rwdRemote: false,
      rkaRemote: false,
    });
    const lldpdu = encodeLldpdu({
      chassisId: { subtype: 4, id: macToBytes(this.#mac) },
      portId: { subtype: 3, id: macToBytes(this.#mac) },
      ttl: 65_535,
      tlvs: [organizational(evbOui, evbSubtype, evb)],
    });
    return this.#frame(etherTypes.lldp, lldpdu);
  }

  /** An ECPDU with one request. */
  request(request: VdpRequest): Uint8Array {
    const payload = concat([vdp.lead(request), vdp.encode(request)!, new Uint8Array(2)]);
    this.#sequence = (this.#sequence + 1) & 0xffff || 1;
    return this.#ecp('request', this.#sequence, payload);
  }

  /** The acknowledgement of a frame of the bridge's; null if it wants none. */
  acknowledgement(bytes: Uint8Array): Uint8Array | null {
    const frame = decodeFrame(bytes);
    if (!frame.ok || frame.value.etherType !== etherTypes.ecp) return null;
    const ecpdu = ecp.decode(frame.value.payload);
    if (!ecpdu.ok || ecpdu.value.operation !== 'request') return null;
    return this.#ecp('acknowledgement', ecpdu.value.sequence, new Uint8Array());
  }

  #ecp(operation: 'request' | 'acknowledgement', sequence: number, payload: Uint8Array): Uint8Array {
    return this.#frame(
      ecp.etherType,
      ecp.encode({ operation, subtype: ecp.subtypes.vdp!, sequence, payload }),
    );
  }

  #frame(etherType: number, payload: Uint8Array): Uint8Array {
    return encodeFrame({ destination: nearestCustomerBridge, source: this.#mac, etherType, payload });
  }
}
