import koffi from 'koffi';
import { SystemError } from '../libc.ts';
import { checkBpf, lastComplaint, libbpf } from './library.ts';

/** A loaded eBPF object: its maps are pinned, or taken from the pins, in the directory it was loaded with. */
export class BpfObject {
  readonly #object: bigint;

  private constructor(object: bigint) {
    this.#object = object;
  }

  /**
   * @throws MissingLibrary
   * @throws SystemError with libbpf's own words, for example when a pinned map has another shape
   */
  static load(path: string, pinDirectory: string): BpfObject {
    const bpf = libbpf();
    const root = koffi.alloc('char', Buffer.byteLength(pinDirectory) + 1) as unknown;
    koffi.encode(root, 'char', pinDirectory, Buffer.byteLength(pinDirectory) + 1);
    const options = new Uint8Array(80); // struct bpf_object_open_opts
    const view = new DataView(options.buffer);
    view.setBigUint64(0, BigInt(options.length), true);
    view.setBigUint64(24, koffi.address(root), true);
    lastComplaint();
    try {
      const object = bpf.openFile(path, options);
      if (object === null) throw new SystemError('open eBPF object', path, koffi.errno());
      const result = bpf.loadObject(object);
      if (result < 0) {
        bpf.closeObject(object);
        throw new SystemError('load eBPF object', `${path} (${lastComplaint()})`, -result);
      }
      return new BpfObject(object);
    } finally {
      koffi.free(root);
    }
  }

  mapFd(name: string): number {
    return checkBpf(libbpf().mapFd(this.#object, name), 'eBPF map', name);
  }

  programFd(name: string): number {
    const program = libbpf().findProgram(this.#object, name);
    if (program === null) throw new SystemError('eBPF program', name, koffi.errno());
    return checkBpf(libbpf().programFd(program), 'eBPF program', name);
  }

  /** Lets go of maps and programs; what is pinned or attached stays. */
  close(): void {
    libbpf().closeObject(this.#object);
  }
}
