import { RelayError } from '../../contract/relay.ts';
import { isIpv6, keyNumbers } from './covers.ts';
import type { Dimension, Tables } from './compile.ts';

/** Sizes and offsets of bpf/access-list.h. */
export const segmentSize = 1 << 21;
export const unitSize = 64;
const headerSize = 72;
const dimensionSize = 20;
const intervalSize = 8;
const interval6Size = 24;
const most = 65_536;

const offsets = {
  start: 0,
  dimensions: 8,
  words: 12,
  vectors: 16,
  pool: 20,
  allowed: 24,
  counters: 28,
  stripes: 32,
  otherwise: 36,
  rules: 40,
  octets: 44,
  source: 48,
  sourceOctets: 52,
  digest: 56,
} as const;
const digestSize = 16;

/** What the driver keeps in a list's image for itself. */
export interface Source {
  /** which list this is */
  readonly digest: Uint8Array;
  /** the list, to be read back */
  readonly octets: Uint8Array;
}

/**
 * The tables as one run of octets that needs nothing around it. `stripes`: how many sets of counters, a power of two.
 * @throws RelayError when there are too many addresses in it for the data plane
 */
export function encode(
  tables: Tables,
  { digest, octets: source }: Source,
  stripes: number,
): Uint8Array<ArrayBuffer> {
  const { dimensions, pool, allowed } = tables;
  const { words } = pool;
  let end = headerSize + dimensions.length * dimensionSize;
  const place = (octets: number) => {
    const at = Math.ceil(end / unitSize) * unitSize;
    end = at + octets;
    return at;
  };
  const places = dimensions.map(({ key, steps }) => place(steps.length * sizeOf(key)));
  const vectorsAt = place(pool.vectors.length * words * 2);
  const poolAt = place(pool.halves.length * 4);
  const allowedAt = place(words * 8);
  const countersAt = place(stripes * stripeSize(words));
  const sourceAt = place(source.length);
  if (
    end > segmentSize ||
    Math.max(pool.vectors.length, pool.halves.length / 2, ...dimensions.map(({ steps }) => steps.length)) >
      most
  )
    throw new RelayError(
      `an access list of ${tables.rules} rules with too many different prefixes for the data plane (${Math.ceil(end / 1024)} KiB); one that needs less than ${segmentSize / 1024} KiB would be right`,
    );

  const bytes = new Uint8Array(end);
  const view = new DataView(bytes.buffer);
  const set = (at: number, ...values: readonly number[]) =>
    values.forEach((value, i) => view.setUint32(at + 4 * i, value, true));
  set(offsets.start, ...tables.start);
  set(offsets.dimensions, dimensions.length, words, vectorsAt, poolAt, allowedAt, countersAt, stripes - 1);
  set(offsets.otherwise, Number(tables.otherwise === 'allow'), tables.rules, end, sourceAt, source.length);
  bytes.set(digest, offsets.digest);
  dimensions.forEach((dimension, i) => {
    encodeDimension(view, headerSize + i * dimensionSize, dimension, places[i]!);
  });
  pool.vectors.forEach((numbers, i) =>
    numbers.forEach((number, j) => view.setUint16(vectorsAt + (i * words + j) * 2, number, true)),
  );
  pool.halves.forEach((half, i) => view.setUint32(poolAt + 4 * i, half, true));
  set(allowedAt, ...allowed.halves);
  bytes.set(source, sourceAt);
  return bytes;
}

function encodeDimension(
  view: DataView,
  at: number,
  { key, steps, none, other }: Dimension,
  table: number,
): void {
  const size = sizeOf(key);
  const log = Math.floor(Math.log2(steps.length));
  view.setUint32(at, table, true);
  view.setUint32(at + 4, (steps.length - 2 ** log) * size, true);
  view.setUint16(at + 8, log, true);
  view.setUint16(at + 10, key, true);
  view.setUint32(at + 12, none, true);
  view.setUint32(at + 16, other, true);
  steps.forEach((step, i) => {
    const to = table + i * size;
    if (size === intervalSize) {
      view.setUint32(to, Number(step.from), true);
      view.setUint32(to + 4, step.class, true);
    } else {
      view.setBigUint64(to, BigInt(step.from) >> 64n, true);
      view.setBigUint64(to + 8, BigInt.asUintN(64, BigInt(step.from)), true);
      view.setUint32(to + 16, step.class, true);
    }
  });
}

/** Octets of one interval of a key. */
function sizeOf(key: number): number {
  return key >= keyNumbers.source && key & isIpv6 ? interval6Size : intervalSize;
}

/** Octets of one set of counters: for each bit of a vector, and for what no rule decided. */
function stripeSize(words: number): number {
  return (words + 1) * 64 * 8;
}

/** A list in the data plane's memory. */
export class ListImage {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;

  /** `bytes`: at least the list */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get octets(): number {
    return this.#word('octets');
  }

  get digest(): Uint8Array {
    return this.#bytes.slice(offsets.digest, offsets.digest + digestSize);
  }

  get source(): Uint8Array {
    const at = this.#word('source');
    return this.#bytes.subarray(at, at + this.#word('sourceOctets'));
  }

  /** Frames that each rule decided, and last those that none did. */
  frames(): number[] {
    const words = this.#word('words');
    const total = (counter: number) => {
      let frames = 0n;
      for (let stripe = 0; stripe <= this.#word('stripes'); stripe++)
        frames += this.#view.getBigUint64(
          this.#word('counters') + stripe * stripeSize(words) + counter * 8,
          true,
        );
      return Number(frames);
    };
    return [...Array.from({ length: this.#word('rules') }, (_, rule) => total(rule)), total(words * 64)];
  }

  #word(name: keyof typeof offsets): number {
    return this.#view.getUint32(offsets[name], true);
  }
}
