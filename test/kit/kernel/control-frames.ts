import { macToBytes, type MacAddress } from '../../../src/domain/mac-address.ts';
import { parseProfileKey } from '../../../src/domain/profile-ref.ts';
import { parseVid } from '../../../src/domain/vid.ts';
import { dialects } from '../../../src/protocol/dialects.ts';
import { encodeFrame, nearestCustomerBridge } from '../../../src/protocol/ethernet.ts';
import { etherTypes } from '../../../src/domain/packet-numbers.ts';
import { localEvb, nothingHeard } from '../../../src/protocol/evb/evb.ts';
import { encodeLldpdu } from '../../../src/protocol/lldp/packet.ts';
import { noHints } from '../../../src/protocol/vdp/association.ts';
import { quick, vsiId } from './lldpad-harness.ts';

/** What an EVB station says of itself by LLDP; `ttl` in seconds, 0: it leaves. */
export function lldpFrame(source: MacAddress, ttl: number): Uint8Array {
  const parameters = { reflectiveRelay: true, groupIds: true, timers: quick };
  const payload = encodeLldpdu({
    chassisId: { subtype: 4, id: macToBytes(source) },
    portId: { subtype: 3, id: macToBytes(source) },
    ttl,
    tlvs: ttl === 0 ? [] : localEvb('station', parameters, nothingHeard, { held: 0, most: 1 }),
  });
  return encodeFrame({ destination: nearestCustomerBridge, source, etherType: etherTypes.lldp, payload });
}

/** A request to let go of VSI `n`, which has all of VLAN 100 under profile mgr1/17/1. */
export function deassociateFrame(source: MacAddress, n: number, sequence: number): Uint8Array {
  const { ecp, vdp } = dialects.ratified;
  const tlv = {
    kind: 'request',
    mode: 'de-associate',
    vsiId: vsiId(n),
    profile: parseProfileKey('mgr1/17/1'),
    filter: { format: 'vid', entries: [{ vid: parseVid(100) }] },
    hints: noHints,
  } as const;
  const payload = ecp.encode({
    operation: 'request',
    subtype: ecp.subtypes.vdp!,
    sequence,
    payload: Uint8Array.from([...vdp.lead(tlv), ...vdp.encode(tlv)!, 0, 0]),
  });
  return encodeFrame({ destination: ecp.destination, source, etherType: ecp.etherType, payload });
}
