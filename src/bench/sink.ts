import { fileURLToPath } from 'node:url';
import { interfaceIndex } from '../linux/interfaces.ts';
import { BpfObject, MappedArray } from '../linux/libbpf.ts';
import { attachClsact } from '../linux/tc-program.ts';

/** bpf/bench.bpf.c, compiled */
export const benchObject = fileURLToPath(new URL('../../bpf/bench.bpf.o', import.meta.url));

/** Counts the frames that enter an interface of this thread's namespace and drops them, in the kernel. */
export class Sink {
  readonly #object: BpfObject;
  readonly #array: MappedArray;
  readonly #count: BigUint64Array;

  /** @throws SystemError */
  constructor(name: string) {
    this.#object = attach(name, 'hp_sink');
    this.#array = new MappedArray(this.#object.mapFd('hp_sunk'), 8, 'hp_sunk');
    this.#count = this.#array.words();
  }

  get count(): number {
    return Number(this.#count[0]);
  }

  /** The program goes with its interface. */
  close(): void {
    this.#array.unmap();
    this.#object.close();
  }
}

/**
 * Turns every frame around that enters an interface of this thread's namespace, and does nothing else: sends it, or
 * (a veth only) hands it straight to the peer.
 */
export function turnAround(name: string, how: 'redirect' | 'redirect_peer'): void {
  attach(name, how === 'redirect' ? 'hp_turn' : 'hp_turn_peer').close();
}

function attach(name: string, program: string): BpfObject {
  const object = BpfObject.load(benchObject, '/');
  try {
    attachClsact(
      { hook: 'ingress', ifindex: interfaceIndex(name), pin: '' },
      object.programFd(program),
      name,
    );
    return object;
  } catch (error) {
    object.close();
    throw error;
  }
}
