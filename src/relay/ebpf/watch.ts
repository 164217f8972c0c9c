import type { RingBuffer } from '../../linux/bpf/ring-buffer.ts';
import { onReadable } from '../../linux/readable.ts';

/** Those who want to hear what comes out of a ring buffer, which is only read while there are any. */
export class Watch<T> {
  readonly #listeners = new Set<(event: T) => void>();
  readonly #open: (listener: (record: Uint8Array) => void) => RingBuffer;
  readonly #decode: (record: Uint8Array) => T | null;
  readonly #failed: (error: unknown) => void;
  readonly #ended: () => void;
  #close: (() => void) | null = null;

  /** `decode`: null for what nobody needs to hear of; `failed` gets what a listener throws; `ended`: nobody listens any more. */
  constructor(
    open: (listener: (record: Uint8Array) => void) => RingBuffer,
    decode: (record: Uint8Array) => T | null,
    failed: (error: unknown) => void,
    ended: () => void = () => {},
  ) {
    this.#open = open;
    this.#decode = decode;
    this.#failed = failed;
    this.#ended = ended;
  }

  /** Until the returned function is called, which may be after `close`. */
  add(listener: (event: T) => void): () => void {
    const one = (event: T) => listener(event); // who comes twice can go twice
    this.#listeners.add(one);
    if (!this.#close) {
      const ring = this.#open((record) => this.#tell(record));
      const stop = onReadable(ring.fd, () => ring.consume(), this.#failed);
      this.#close = () => {
        stop();
        ring.close();
        this.#ended();
      };
    }
    return () => {
      this.#listeners.delete(one);
      if (!this.#listeners.size) this.close();
    };
  }

  close(): void {
    this.#listeners.clear();
    this.#close?.();
    this.#close = null;
  }

  /** Runs inside libbpf, which no exception may cross. */
  #tell(record: Uint8Array): void {
    try {
      const event = this.#decode(record);
      if (event) for (const listener of this.#listeners) listener(event);
    } catch (error) {
      this.#failed(error);
    }
  }
}
