import { macFromBytes, macToBytes, type MacAddress } from '../../../domain/mac-address.ts';
import { packPlace, recordSize, unpackPlace, type NumberedPlace } from './layout.ts';

/** What the data plane keeps of a VSI for the driver alone (struct record). */
export interface VsiRecord {
  readonly slot: number;
  readonly released: NumberedPlace | null;
  readonly addresses: readonly MacAddress[];
  readonly label: string;
}

const addressesOffset = 12;
const labelOffset = 396;

export function encodeRecord({ slot, released, addresses, label }: VsiRecord): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(recordSize);
  const view = new DataView(bytes.buffer);
  const text = Buffer.from(label);
  view.setUint32(0, slot, true);
  view.setUint32(4, packPlace(released), true);
  view.setUint16(8, addresses.length, true);
  view.setUint16(10, text.length, true);
  addresses.forEach((mac, i) => bytes.set(macToBytes(mac), addressesOffset + 6 * i));
  bytes.set(text, labelOffset);
  return bytes;
}

export function decodeRecord(bytes: Uint8Array<ArrayBuffer>): VsiRecord {
  const view = new DataView(bytes.buffer);
  return {
    slot: view.getUint32(0, true),
    released: unpackPlace(view.getUint32(4, true)),
    addresses: Array.from({ length: view.getUint16(8, true) }, (_, i) =>
      macFromBytes(bytes, addressesOffset + 6 * i),
    ),
    label: Buffer.from(bytes.subarray(labelOffset, labelOffset + view.getUint16(10, true))).toString(),
  };
}
