import koffi from 'koffi';
import { SystemError } from '../libc.ts';
import { libbpf } from './library.ts';

/** Records taken in a turn of the event loop: programs that write without end keep nobody else waiting. */
const recordsAtOnce = 64;

/** Hands over each record of an eBPF ring buffer, until it is closed; `fd` is readable when there are any. */
export class RingBuffer {
  readonly fd: number;
  readonly #ring: bigint;
  readonly #callback: bigint;
  #isConsuming = false;
  #isClosed = false;
  #left = 0;

  constructor(mapFd: number, listener: (record: Uint8Array) => void) {
    const bpf = libbpf();
    this.#callback = koffi.register((_context: unknown, data: bigint, size: number) => {
      listener(new Uint8Array(koffi.view(data, size).slice(0)));
      return this.#isClosed || --this.#left === 0 ? stopConsuming : 0;
    }, bpf.eventPointer);
    const ring = bpf.ringNew(mapFd, this.#callback, null, null);
    if (ring === null) {
      koffi.unregister(this.#callback);
      throw new SystemError('eBPF ring buffer', String(mapFd), koffi.errno());
    }
    this.#ring = ring;
    this.fd = bpf.ringFd(ring);
  }

  /** What there is, but no more than a turn's share: of the rest `fd` stays readable. */
  consume(): void {
    this.#left = recordsAtOnce;
    this.#isConsuming = true;
    libbpf().ringConsume(this.#ring);
    this.#isConsuming = false;
    if (this.#isClosed) this.#free();
  }

  /** The listener may do so too. */
  close(): void {
    this.#isClosed = true;
    if (!this.#isConsuming) this.#free(); // libbpf still reads from it
  }

  #free(): void {
    libbpf().ringFree(this.#ring);
    koffi.unregister(this.#callback);
  }
}

const stopConsuming = -1; // the record counts as consumed
