import { existsSync } from 'node:fs';
import koffi from 'koffi';
import { check, libc } from '../libc.ts';
import { checkBpf, libbpf } from './library.ts';

/** Octets in a map's memory that this process and the kernel share. A 64-bit word in it changes in one store. */
export class MappedArray {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #address: bigint;

  /** `length`: the array's elements times the size of one, which must be a multiple of 8. */
  constructor(fd: number, length: number, subject: string) {
    const readWrite = 3;
    const shared = 1;
    const address = BigInt(libbpf().mmap(null, length, readWrite, shared, fd, 0));
    check(address === -1n ? -1 : 0, 'mmap of eBPF map', subject);
    this.#address = address;
    this.bytes = new Uint8Array(koffi.view(address, length));
  }

  /** A pinned array, null if there is none. @throws SystemError */
  static ofPin(path: string, length: number): MappedArray | null {
    if (!existsSync(path)) return null;
    const fd = checkBpf(libbpf().openPin(path), 'open eBPF map', path);
    try {
      return new MappedArray(fd, length, path);
    } finally {
      libc().close(fd);
    }
  }

  words(): BigUint64Array<ArrayBuffer> {
    return new BigUint64Array(this.bytes.buffer);
  }

  /** Whoever still reads `bytes` after this ends the process. */
  unmap(): void {
    libbpf().munmap(this.#address, this.bytes.length);
  }
}

/** A map of fixed-size keys and values that has to be asked by system call. */
export class BpfMap {
  readonly #fd: number;
  readonly #name: string;
  readonly #keySize: number;
  readonly #value: Uint8Array;

  constructor(fd: number, name: string, keySize: number, valueSize: number) {
    this.#fd = fd;
    this.#name = name;
    this.#keySize = keySize;
    this.#value = new Uint8Array(valueSize);
  }

  /** @throws SystemError E2BIG when the map is full */
  set(key: Uint8Array, value: Uint8Array): void {
    checkBpf(libbpf().update(this.#fd, key, value, 0), 'update of eBPF map', this.#name);
  }

  /** A copy of the value, or null. */
  get(key: Uint8Array): Uint8Array<ArrayBuffer> | null {
    return libbpf().lookup(this.#fd, key, this.#value) < 0 ? null : new Uint8Array(this.#value);
  }

  /** Nothing if it is not there. */
  delete(key: Uint8Array): void {
    libbpf().remove(this.#fd, key);
  }

  /**
   * All keys of a hash, as they are come by: bucket by bucket, since from key to key one would begin anew at each that is
   * gone meanwhile, without end in a table that forgets. @throws SystemError
   */
  keys(): Uint8Array<ArrayBuffer>[] {
    const { errno } = koffi.os;
    const keys: Uint8Array<ArrayBuffer>[] = [];
    let from: Uint8Array | null = null;
    for (let room = 1024; ;) {
      const [next, count] = [word(0), word(room)];
      const found = new Uint8Array(room * this.#keySize);
      const values = new Uint8Array(room * this.#value.length);
      const result = libbpf().lookupBatch(this.#fd, from, next, found, values, count, null);
      if (result === -errno['ENOSPC']!) {
        room *= 2; // one bucket has more
        continue;
      }
      const isLast = result === -errno['ENOENT']!;
      if (!isLast) checkBpf(result, 'keys of eBPF map', this.#name);
      const end = new DataView(count.buffer).getUint32(0, true) * this.#keySize;
      for (let at = 0; at < end; at += this.#keySize) keys.push(found.slice(at, at + this.#keySize));
      if (isLast) return keys;
      from = next;
    }
  }
}

/** An array map of mapped arrays of one element each, which are added while programs run. */
export class ArrayOfArrays {
  readonly #map: BpfMap;
  readonly #name: string;
  readonly #length: number;

  /** `length`: octets of the element of each */
  constructor(fd: number, name: string, length: number) {
    this.#map = new BpfMap(fd, name, 4, 4);
    this.#name = name;
    this.#length = length;
  }

  /** Null if there is none with this number. @throws SystemError */
  get(number: number): MappedArray | null {
    const id = this.#map.get(word(number));
    if (!id) return null;
    return this.#mapped(
      checkBpf(libbpf().mapFdOf(new DataView(id.buffer).getUint32(0, true)), 'eBPF map in', this.#name),
    );
  }

  /** A new one, all zeros. Takes a grace period. @throws SystemError */
  create(number: number): MappedArray {
    const mapped = 0x400; // BPF_F_MMAPABLE
    const fd = createMap(mapTypes.array, 'hp_element', this.#length, { flags: mapped });
    return this.#mapped(fd, () => this.#map.set(word(number), word(fd)));
  }

  /** The mapping and the outer map keep the array; the descriptor goes. */
  #mapped(fd: number, place: () => void = () => {}): MappedArray {
    try {
      place();
      return new MappedArray(fd, this.#length, this.#name);
    } finally {
      libc().close(fd);
    }
  }
}

function word(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export const mapTypes = { array: 2, arrayOfMaps: 12 } as const; // BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_ARRAY_OF_MAPS

/** A map of one element; its descriptor. @throws SystemError */
export function createMap(
  type: number,
  name: string,
  valueSize: number,
  { flags = 0, innerFd = 0 } = {},
): number {
  const options = new Uint8Array(48); // struct bpf_map_create_opts
  const view = new DataView(options.buffer);
  view.setBigUint64(0, BigInt(options.length), true);
  view.setUint32(24, innerFd, true);
  view.setUint32(28, flags, true);
  return checkBpf(libbpf().createMap(type, name, 4, valueSize, 1, options), 'eBPF map', name);
}
