import type { BpfMap } from '../../../linux/bpf/maps.ts';
import { textKeySize, textSize } from './layout.ts';

/** What a text is of. */
export const textKinds = { policy: 1, tenant: 2 } as const;

const capacity = textSize - 4;

/** Texts that the data plane keeps for the driver alone, by kind and number (hp_texts). Written before anything refers to them. */
export class Texts {
  readonly #map: BpfMap;
  readonly #kind: number;

  constructor(map: BpfMap, kind: number) {
    this.#map = map;
    this.#kind = kind;
  }

  /** @throws SystemError when the data plane has no room */
  write(number: number, text: string): void {
    const octets = Buffer.from(text);
    for (let piece = 0; piece * capacity <= octets.length; piece++) {
      const part = octets.subarray(piece * capacity, (piece + 1) * capacity);
      const value = new Uint8Array(textSize);
      new DataView(value.buffer).setUint32(0, part.length, true);
      value.set(part, 4);
      this.#map.set(this.#key(number, piece), value);
    }
  }

  /** Null if there is none. */
  read(number: number): string | null {
    const parts: Uint8Array[] = [];
    for (let piece = 0; ; piece++) {
      const value = this.#map.get(this.#key(number, piece));
      if (!value) return null;
      const length = new DataView(value.buffer).getUint32(0, true);
      parts.push(value.subarray(4, 4 + length));
      if (length < capacity) return Buffer.concat(parts).toString();
    }
  }

  delete(number: number): void {
    const text = this.read(number);
    const pieces = text === null ? 0 : Math.floor(Buffer.byteLength(text) / capacity) + 1;
    for (let piece = 0; piece < pieces; piece++) this.#map.delete(this.#key(number, piece));
  }

  /** The numbers that have a text. */
  numbers(): number[] {
    const numbers: number[] = [];
    for (const key of this.#map.keys()) {
      const view = new DataView(key.buffer);
      if (view.getUint16(0, true) === this.#kind && view.getUint32(4, true) === 0)
        numbers.push(view.getUint16(2, true));
    }
    return numbers;
  }

  #key(number: number, piece: number): Uint8Array<ArrayBuffer> {
    const key = new Uint8Array(textKeySize);
    const view = new DataView(key.buffer);
    view.setUint16(0, this.#kind, true);
    view.setUint16(2, number, true);
    view.setUint32(4, piece, true);
    return key;
  }
}
