import { createHash } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { Multiset } from '../../../base/multiset.ts';
import type { AccessList } from '../../../domain/port-profile.ts';
import { SystemError } from '../../../linux/libc.ts';
import { RelayError } from '../../contract/relay.ts';
import { compile } from './compile.ts';
import { Heap, type Run } from './heap.ts';
import { encode, ListImage, segmentSize, unitSize } from './image.ts';

/** Where lists are: `ListMemory`, or a test's. */
export interface Memory {
  readonly segments: number;
  grow(): number | null;
  from(segment: number, at: number): Uint8Array<ArrayBuffer>;
}

/** What a list is for: those of a mirror do not count for the rules of an access list that is equal. */
export type Purpose = 'access' | 'mirror';

/** Numbers of lists that need no tables; of the others they are where the list is, in units over all segments. */
const allowsAll = 0;
const deniesAll = 1;
const firstUnit = 2;
const segmentUnits = segmentSize / unitSize;
const mostStripes = 8;

/** Access lists in the data plane. One that is in use never changes; equal ones for one purpose are one. */
export class AccessLists {
  readonly #memory: Memory;
  readonly #stripes: number;
  readonly #heap: Heap;
  /** by digest */
  readonly #numbers = new Map<string, number>();
  readonly #uses: Multiset<number>;
  readonly #digests = new WeakMap<AccessList, string>();

  /** Takes over the lists in use, a number for each use. `cpus`: how many may count at once. */
  constructor(memory: Memory, used: readonly number[], cpus: number, grace: () => void) {
    this.#memory = memory;
    this.#stripes = 2 ** Math.ceil(Math.log2(Math.min(cpus, mostStripes)));
    this.#heap = new Heap(segmentUnits, () => this.#grow(), grace);
    this.#uses = new Multiset(used);
    const numbers = [...this.#uses.distinct()].filter(hasTables).toSorted((a, b) => a - b);
    for (const number of numbers) this.#numbers.set(hex(imageOf(memory, number).digest), number);
    for (let segment = 0; segment < memory.segments; segment++) this.#freeBetween(segment, numbers);
  }

  /** The number of the list's tables, to be released some day. @throws RelayError when there is no room */
  acquire(list: AccessList, purpose: Purpose): number {
    const number = this.#held(list, purpose) ?? this.#write(list, purpose);
    this.#uses.add(number);
    return number;
  }

  release(number: number): void {
    if (!this.#uses.delete(number) || !hasTables(number)) return;
    const image = imageOf(this.#memory, number);
    this.#numbers.delete(hex(image.digest));
    this.#heap.retire(number, unitsOf(image.octets));
  }

  /** Frames that each rule decided since the list came to be, and last those that none did. */
  frames(number: number): number[] {
    return hasTables(number) ? imageOf(this.#memory, number).frames() : [0];
  }

  #held(list: AccessList, purpose: Purpose): number | undefined {
    if (!list.rules.length && !list.sets) return list.otherwise === 'allow' ? allowsAll : deniesAll;
    return this.#numbers.get(this.#digest(list, purpose));
  }

  #write(list: AccessList, purpose: Purpose): number {
    const digest = this.#digest(list, purpose);
    const source = {
      digest: Buffer.from(digest, 'hex'),
      octets: deflateRawSync(JSON.stringify(list), { level: 1 }),
    };
    const image = encode(compile(list), source, this.#stripes);
    const number = this.#heap.take(unitsOf(image.length));
    octetsOf(this.#memory, number).set(image);
    this.#numbers.set(digest, number);
    return number;
  }

  /** 128 bits that no two lists in use share, in hexadecimal. */
  #digest(list: AccessList, purpose: Purpose): string {
    let digest = this.#digests.get(list);
    if (!digest) {
      digest = createHash('sha256').update(JSON.stringify(list)).digest('hex').slice(0, 31);
      this.#digests.set(list, digest);
    }
    return digest + (purpose === 'access' ? '0' : '1');
  }

  #grow(): Run | null {
    try {
      const segment = this.#memory.grow();
      return segment === null ? null : unitsIn(segment);
    } catch (error) {
      if (error instanceof SystemError) throw new RelayError(`memory for access lists: ${error.message}`);
      throw error;
    }
  }

  /** `numbers`: of the lists in use, ascending */
  #freeBetween(segment: number, numbers: readonly number[]): void {
    let { at } = unitsIn(segment);
    const end = (segment + 1) * segmentUnits;
    for (const number of numbers) {
      if (number < at || number >= end) continue;
      this.#heap.release(at, number - at);
      at = number + unitsOf(imageOf(this.#memory, number).octets);
    }
    this.#heap.release(at, end - at);
  }
}

/** The list that a number stands for. */
export function readList(memory: Memory, number: number): AccessList {
  if (!hasTables(number)) return { rules: [], otherwise: number === allowsAll ? 'allow' : 'deny' };
  return JSON.parse(inflateRawSync(imageOf(memory, number).source).toString()) as AccessList;
}

function imageOf(memory: Memory, number: number): ListImage {
  return new ListImage(octetsOf(memory, number));
}

/** From a list on to its segment's end. */
function octetsOf(memory: Memory, number: number): Uint8Array<ArrayBuffer> {
  return memory.from(Math.floor(number / segmentUnits), (number % segmentUnits) * unitSize);
}

function hasTables(number: number): boolean {
  return number >= firstUnit;
}

/** Those that lists may have. */
function unitsIn(segment: number): Run {
  const at = Math.max(segment * segmentUnits, firstUnit);
  return { at, units: (segment + 1) * segmentUnits - at };
}

function unitsOf(octets: number): number {
  return Math.ceil(octets / unitSize);
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}
