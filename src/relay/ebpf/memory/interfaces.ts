import type { BpfMap } from '../../../linux/bpf/maps.ts';
import { interfaceCount, u32 } from './layout.ts';

/** Which port an interface is: in an array by the index's lower bits, and in a hash where two share an element. */
export class Interfaces {
  readonly #array: BigUint64Array<ArrayBuffer>;
  readonly #hash: BpfMap;

  constructor(array: BigUint64Array<ArrayBuffer>, hash: BpfMap) {
    this.#array = array;
    this.#hash = hash;
  }

  /** 0: of no port */
  portAt(ifindex: number): number {
    if (this.#has(ifindex)) return Number(this.#array[ifindex % interfaceCount]! & 0xffffffffn);
    const port = this.#hash.get(u32(ifindex));
    return port ? new DataView(port.buffer).getUint32(0, true) : 0;
  }

  set(ifindex: number, port: number): void {
    const at = ifindex % interfaceCount;
    if (this.#array[at] && !this.#has(ifindex)) this.#hash.set(u32(ifindex), u32(port));
    else Atomics.store(this.#array, at, (BigInt(ifindex) << 32n) | BigInt(port));
  }

  delete(ifindex: number): void {
    if (this.#has(ifindex)) Atomics.store(this.#array, ifindex % interfaceCount, 0n);
    this.#hash.delete(u32(ifindex));
  }

  #has(ifindex: number): boolean {
    return this.#array[ifindex % interfaceCount]! >> 32n === BigInt(ifindex);
  }
}
