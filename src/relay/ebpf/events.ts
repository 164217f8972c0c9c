import { macFromBytes } from '../../domain/mac-address.ts';
import type { NullVid, Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { DropSample, PortName, RelayEvent } from '../contract/relay.ts';
import { dropReasons } from '../../domain/drop-reason.ts';

/** Who is meant by the data plane's numbers; null for what is there no more. */
export interface Names {
  portOf(number: number): PortName | null;
  vsiOf(slot: number): VsiId | null;
}

/** A struct announcement of bpf/layout.h. */
export function decodeAnnouncement(record: Uint8Array, names: Names): RelayEvent | null {
  const view = new DataView(record.buffer, record.byteOffset);
  const port = names.portOf(view.getUint32(8, true));
  const reason = dropReasons[view.getUint8(20)];
  if (!port || (reason !== 'unassociated' && reason !== 'armed' && reason !== 'moved')) return null;
  return {
    kind: 'announcement',
    port,
    mac: macFromBytes(record, 14),
    wireVid: view.getUint16(12, true) as Vid | NullVid,
    reason,
    at: view.getBigUint64(0, true),
  };
}

/** A struct drop_sample. */
export function decodeDrop(record: Uint8Array, names: Names): DropSample | null {
  const view = new DataView(record.buffer, record.byteOffset);
  const port = names.portOf(view.getUint32(8, true));
  const reason = dropReasons[view.getUint8(20)];
  if (!port || !reason) return null;
  return {
    port,
    reason,
    vsi: names.vsiOf(view.getUint16(16, true)),
    at: view.getBigUint64(0, true),
    octets: view.getUint32(12, true),
    frame: record.slice(24, 24 + view.getUint8(21)),
    wireVid: view.getUint16(18, true) as Vid | NullVid,
  };
}
