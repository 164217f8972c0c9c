import koffi from 'koffi';
import { check, libc } from '../libc.ts';
import { bindPacketSocket, packetFamily, packetLevel } from './packet-address.ts';

const optionQdiscBypass = 20; // linux/if_packet.h

const atOnce = 1024; // UIO_MAXIOV
const headerLength = 64; // struct mmsghdr on a 64-bit machine
const vectorLength = 16;

/**
 * A raw AF_PACKET socket that sends prepared frames as fast as the kernel takes them: 1,024 to a system call, past the
 * interface's qdisc. It receives nothing.
 */
export class BurstSocket {
  readonly #fd: number;
  readonly #bytes: Uint8Array;
  readonly #count: number;
  #next = 0;

  /** On an interface of this thread's namespace; the frames are sent in turn. @throws SystemError */
  constructor(name: string, frames: readonly Uint8Array[]) {
    const { socket, close, setsockopt } = libc();
    this.#count = frames.length * Math.ceil(atOnce / frames.length);
    this.#bytes = prepared(frames, this.#count);
    const rawCloexec = 3 | 0o2000000;
    this.#fd = check(socket(packetFamily, rawCloexec, 0), 'packet socket on', name);
    try {
      const on = Uint8Array.of(1, 0, 0, 0);
      check(setsockopt(this.#fd, packetLevel, optionQdiscBypass, on, 4), 'setsockopt', 'PACKET_QDISC_BYPASS');
      bindPacketSocket(this.#fd, name, 0);
    } catch (error) {
      close(this.#fd);
      throw error;
    }
  }

  /** Returns when the kernel has taken as many frames. @throws SystemError */
  send(frames: number): void {
    const headers = koffi.address(this.#bytes);
    for (let left = frames; left > 0;) {
      const batch = Math.min(left, atOnce, this.#count - this.#next);
      const from = headers + BigInt(this.#next * headerLength);
      const sent = check(libc().sendmmsg(this.#fd, from, batch, 0), 'sendmmsg', `${batch} frames`);
      left -= sent;
      this.#next = (this.#next + sent) % this.#count;
    }
  }

  close(): void {
    libc().close(this.#fd);
  }
}

/** `count` headers, one vector for each, and the frames behind them, each once. */
function prepared(frames: readonly Uint8Array[], count: number): Uint8Array {
  const vectors = count * headerLength;
  let at = vectors + count * vectorLength;
  const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, at));
  const view = new DataView(bytes.buffer);
  const base = koffi.address(bytes);
  const starts = frames.map((frame) => {
    const start = at;
    bytes.set(frame, start);
    at += frame.length;
    return start;
  });
  for (let i = 0; i < count; i++) {
    const vector = vectors + i * vectorLength;
    const frame = i % frames.length;
    view.setBigUint64(i * headerLength + 16, base + BigInt(vector), true);
    view.setBigUint64(i * headerLength + 24, 1n, true);
    view.setBigUint64(vector, base + BigInt(starts[frame]!), true);
    view.setBigUint64(vector + 8, BigInt(frames[frame]!.length), true);
  }
  return bytes;
}
