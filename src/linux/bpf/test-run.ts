import koffi from 'koffi';
import { checkBpf, libbpf } from './library.ts';

const longestTestFrame = 16_384;

/** What makes a frame a super-frame: the octets of a segment (0: it is none), and how many there are (0: nobody has counted). */
export interface Gso {
  readonly size: number;
  readonly segments: number;
}

export const notGso: Gso = { size: 0, segments: 0 };

/** Runs a tc program on frames that no device received (BPF_PROG_TEST_RUN), as if one of the namespace's had. */
export class TestRun {
  readonly #programFd: number;
  readonly #memory = koffi.alloc('uint8_t', longestTestFrame + 192) as unknown;
  readonly #frame: Uint8Array;
  readonly #context: DataView;
  readonly #options = new Uint8Array(80); // struct bpf_test_run_opts
  readonly #view = new DataView(this.#options.buffer);

  constructor(programFd: number) {
    this.#programFd = programFd;
    const memory = koffi.view(this.#memory, longestTestFrame + 192);
    this.#frame = new Uint8Array(memory, 0, longestTestFrame);
    this.#context = new DataView(memory, longestTestFrame); // struct __sk_buff
    new Uint8Array(memory, longestTestFrame).fill(0);
    const address = koffi.address(this.#memory);
    this.#view.setBigUint64(0, BigInt(this.#options.length), true);
    this.#view.setBigUint64(8, address, true);
    this.#view.setBigUint64(32, address + BigInt(longestTestFrame), true);
    this.#view.setUint32(48, 192, true);
  }

  /** What the program returned, and the ns that a run took on average. @throws SystemError */
  run(
    frame: Uint8Array,
    ifindex: number,
    { repeat = 1, gso = notGso }: { readonly repeat?: number; readonly gso?: Gso } = {},
  ): { readonly action: number; readonly ns: number } {
    this.#frame.set(frame);
    this.#context.setUint32(40, ifindex, true);
    this.#context.setUint32(164, gso.segments, true);
    this.#context.setUint32(176, gso.size, true);
    this.#view.setUint32(24, frame.length, true);
    this.#view.setUint32(28, 0, true); // the room for results, of which the last run has left its size
    this.#view.setUint32(52, 0, true);
    this.#view.setUint32(60, repeat, true);
    const interrupted = -koffi.os.errno['EINTR']!;
    let result = interrupted;
    // a signal ends many runs early, and whoever asked for them wants them all
    while (result === interrupted) result = libbpf().testRun(this.#programFd, this.#options);
    checkBpf(result, 'test run of', 'an eBPF program');
    return { action: this.#view.getUint32(56, true), ns: this.#view.getUint32(64, true) };
  }

  close(): void {
    koffi.free(this.#memory);
  }
}
