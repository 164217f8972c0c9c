import { fileURLToPath } from 'node:url';
import {
  heldProgram,
  holdProgram,
  isSameProgram,
  releaseProgram,
  withWords,
  type Place,
} from './held-program.ts';
import { BpfObject } from './object.ts';
import { namespaceCookie } from '../net/namespace.ts';
import type { Hook } from './tc-program.ts';

type Role = 'vm' | 'uplink';

/** bpf/vm-filter.bpf.c and bpf/uplink-filter.bpf.c, compiled */
const objects: Readonly<Record<Role, string>> = {
  vm: fileURLToPath(new URL('../../../bpf/vm-filter.bpf.o', import.meta.url)),
  uplink: fileURLToPath(new URL('../../../bpf/uplink-filter.bpf.o', import.meta.url)),
};
const programs: Readonly<Record<Role, readonly { readonly hook: Hook; readonly name: string }[]>> = {
  vm: [
    { hook: 'egress', name: 'hp_vm_egress' },
    { hook: 'ingress', name: 'hp_vm_ingress' },
  ],
  uplink: [{ hook: 'egress', name: 'hp_uplink' }],
};
/** bpf/control.h */
const words = { egress: 0, ingress: 1, hostCookie: 2 } as const;

/** Frames that a filter has dropped. */
export type Dropped = Readonly<Record<Hook, number>>;

/**
 * What drops control frames (bpf/control.h) at an interface of this thread's namespace: all of them at a VM's, in both
 * directions; at the uplink's egress, those that no packet socket of the host's sends. The kernel keeps it with the
 * interface: an agent that ends, however it does, leaves it, and the next finds it there with its counts.
 */
export class ControlFilter {
  readonly #role: Role;
  /** of which no frame is dropped: by it one sees whether what an interface holds is of today's make */
  readonly #model: BpfObject;

  /** @throws MissingLibrary, SystemError where the kernel cannot load it */
  constructor(role: Role) {
    this.#role = role;
    this.#model = BpfObject.load(objects[role], '/');
  }

  /** Sees to it that the interface has it; says whether it had to be set anew. @throws SystemError */
  install(ifindex: number, subject: string): boolean {
    if (this.#isWhole(ifindex)) return false;
    // each interface has maps of its own, so that its counts go with it, also to another namespace
    const object = BpfObject.load(objects[this.#role], '/');
    try {
      for (const { hook, name } of programs[this.#role])
        holdProgram({ hook, ifindex }, object.programFd(name), subject);
    } finally {
      object.close();
    }
    if (this.#role === 'uplink') this.#tellCookie(ifindex);
    return true;
  }

  close(): void {
    this.#model.close();
  }

  #isWhole(ifindex: number): boolean {
    const whole = programs[this.#role].every(({ hook, name }) => {
      const held = heldProgram({ hook, ifindex }, name);
      return held !== null && isSameProgram(held, this.#model.programFd(name));
    });
    // it may have come with the interface from another namespace
    return whole && (this.#role !== 'uplink' || this.#tellCookie(ifindex));
  }

  /** Until then, it takes nobody for the host. */
  #tellCookie(ifindex: number): boolean {
    const held = heldProgram({ hook: 'egress', ifindex }, 'hp_uplink');
    if (!held) return false;
    const told = withWords(held, (map) => {
      map.set(key(words.hostCookie), new Uint8Array(BigUint64Array.of(namespaceCookie()).buffer));
      return true;
    });
    return told === true;
  }
}

/** What the filter of an interface has dropped; null if it has none. */
export function droppedAt(ifindex: number, role: Role): Dropped | null {
  const counts = programs[role].map(({ hook, name }) => {
    const held = heldProgram({ hook, ifindex }, name);
    const value = held && withWords(held, (map) => map.get(key(words[hook])));
    return value ? new DataView(value.buffer).getBigUint64(0, true) : null;
  });
  if (counts.includes(null)) return null;
  return { egress: Number(counts[0] ?? 0), ingress: Number(counts[1] ?? 0) };
}

/** Takes the filter off an interface; says whether there was one. */
export function removeFilter(ifindex: number, role: Role): boolean {
  const places: readonly (Place & { readonly name: string })[] = programs[role].map((program) => ({
    ...program,
    ifindex,
  }));
  return places.map((place) => releaseProgram(place, place.name)).includes(true);
}

function key(word: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(word).buffer);
}
