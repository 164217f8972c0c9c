import { ArrayOfArrays, type MappedArray } from '../../../linux/bpf/maps.ts';
import { segmentSize } from './image.ts';

export const segmentCount = 512;
/** with what a program may read behind a segment's end (OVERHANG of bpf/access-list.h) */
const arraySize = segmentSize + 65_536;

/** The segments in which the data plane has its access lists. */
export class ListMemory {
  readonly #arrays: ArrayOfArrays;
  readonly #segments: MappedArray[] = [];

  /** Takes over the segments that are there. @throws SystemError */
  constructor(mapFd: number) {
    this.#arrays = new ArrayOfArrays(mapFd, 'hp_lists', arraySize);
    for (let number = 0; number < segmentCount; number++) {
      const segment = this.#arrays.get(number);
      if (!segment) break;
      this.#segments.push(segment);
    }
  }

  get segments(): number {
    return this.#segments.length;
  }

  /** The number of another segment, all zeros; null if there can be no more. @throws SystemError */
  grow(): number | null {
    if (this.#segments.length === segmentCount) return null;
    return this.#segments.push(this.#arrays.create(this.#segments.length)) - 1;
  }

  /** From a place in a segment to its end. */
  from(segment: number, at: number): Uint8Array<ArrayBuffer> {
    const array = (this.#segments[segment] ??= this.#arrays.get(segment)!);
    return array.bytes.subarray(at, segmentSize);
  }

  /** Lets go of the memory; the data plane keeps it. Nothing that `from` gave may be read any more. */
  close(): void {
    for (const segment of this.#segments) segment.unmap();
  }
}
