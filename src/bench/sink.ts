import { fileURLToPath } from 'node:url';
import { interfaceIndex } from '../linux/net/interfaces.ts';
import { MappedArray } from '../linux/bpf/maps.ts';
import { BpfObject } from '../linux/bpf/object.ts';
import { holdIngress } from '../linux/bpf/tc-program.ts';

/** bpf/bench.bpf.c, compiled */
export const benchObject = fileURLToPath(new URL('../../bpf/bench.bpf.o', import.meta.url));

/** Counts the frames that enter an interface of this thread's namespace and drops them, in the kernel. */
export class Sink {
  readonly #program: Attached;
  readonly #array: MappedArray;
  readonly #count: BigUint64Array;

  /** @throws SystemError */
  constructor(name: string) {
    this.#program = new Attached(name, 'hp_sink');
    this.#array = new MappedArray(this.#program.object.mapFd('hp_sunk'), 8, 'hp_sunk');
    this.#count = this.#array.words();
  }

  get count(): number {
    return Number(this.#count[0]);
  }

  close(): void {
    this.#array.unmap();
    this.#program.close();
  }
}

/**
 * Turns every frame around that enters an interface of this thread's namespace, and does nothing else: sends it, or
 * (a veth only) hands it straight to the peer. Until the returned function is called.
 */
export function turnAround(name: string, how: 'redirect' | 'redirect_peer'): () => void {
  const program = new Attached(name, how === 'redirect' ? 'hp_turn' : 'hp_turn_peer');
  return () => program.close();
}

class Attached {
  readonly object: BpfObject;
  readonly #detach: () => void;

  constructor(name: string, program: string) {
    this.object = BpfObject.load(benchObject, '/');
    try {
      this.#detach = holdIngress(interfaceIndex(name), this.object.programFd(program), name);
    } catch (error) {
      this.object.close();
      throw error;
    }
  }

  close(): void {
    this.#detach();
    this.object.close();
  }
}
