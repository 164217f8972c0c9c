import { BurstSocket } from '../linux/net/burst-socket.ts';
import { libc } from '../linux/libc.ts';
import { inNamespace } from '../linux/net/namespace.ts';
import { ownTimeOf, processTime } from './core.ts';
import { BenchError } from './report.ts';
import { Sink } from './sink.ts';

/** An interface. */
export interface End {
  readonly namespace: string;
  readonly link: string;
}

export interface PathOptions {
  readonly name: string;
  /** where frames are sent */
  readonly from: End;
  /** where they arrive, are counted, and end */
  readonly to: End;
  /** a process on the way, on another core: it takes what it can of all that is sent */
  readonly pid?: number;
}

const warmUp = 4096;
const burst = 64;
const settledAfterMs = 20;
const lostAfterMs = 2000;

/** The way of a frame through something, and what it costs. */
export class Path {
  readonly name: string;
  readonly #options: PathOptions;
  readonly #sink: Sink;

  constructor(options: PathOptions) {
    this.name = options.name;
    this.#options = options;
    this.#sink = inNamespace(options.to.namespace, () => new Sink(options.to.link));
  }

  /**
   * CPU time of a frame from end to end, in ns, over about `ms`.
   * @throws BenchError if frames are lost, where all is done in the kernel by the time they are sent
   */
  cost(frames: readonly Uint8Array[], ms: number): number {
    return this.#sending(frames, (socket) => {
      if (this.#options.pid !== undefined) return this.#saturate(socket, this.#options.pid, ms);
      const once = this.#time(socket, warmUp);
      const count = Math.max(warmUp, Math.round((ms * 1e6) / once));
      return this.#time(socket, count);
    });
  }

  /** @throws BenchError unless this frame arrives and none of those does */
  check(allowed: Uint8Array, forbidden: readonly Uint8Array[]): void {
    const before = this.#sink.count;
    this.#sending([allowed], (socket) => this.#pump(socket, 1));
    for (const frame of forbidden) {
      this.#sending([frame], (socket) => socket.send(1));
      this.#sending([allowed], (socket) => this.#pump(socket, 1));
    }
    const more = this.#sink.count - before - 1 - forbidden.length;
    if (more > 0) throw new BenchError(`${this.name}: lets ${more} forbidden frames through`);
  }

  close(): void {
    this.#sink.close();
  }

  #time(socket: BurstSocket, count: number): number {
    return ownTimeOf(() => this.#pump(socket, count)) / count;
  }

  /** The sender's time by what it sent, and the process's by what came out of it: it is at its best when it never waits. */
  #saturate(socket: BurstSocket, pid: number, ms: number): number {
    const before = this.#sink.count;
    const worked = processTime(pid);
    let sent = 0;
    const own = ownTimeOf(() => {
      for (const end = performance.now() + ms; performance.now() < end; sent += burst) socket.send(burst);
    });
    this.#settle();
    const arrived = this.#sink.count - before;
    if (arrived === 0) throw new BenchError(`${this.name}: no frame came out`);
    return own / sent + (processTime(pid) - worked) / arrived;
  }

  /** Sends so many frames and waits until as many have arrived. */
  #pump(socket: BurstSocket, count: number): void {
    const due = this.#sink.count + count;
    socket.send(count);
    if (this.#sink.count < due) this.#await(due);
  }

  /** Returns when nothing has arrived for a while. */
  #settle(): void {
    for (let last = -1; last !== this.#sink.count;) {
      last = this.#sink.count;
      const end = performance.now() + settledAfterMs;
      while (performance.now() < end) libc().sched_yield();
    }
  }

  #await(count: number): void {
    const end = Date.now() + lostAfterMs;
    while (this.#sink.count < count) {
      libc().sched_yield();
      if (Date.now() > end)
        throw new BenchError(`${this.name}: ${count - this.#sink.count} frames were lost`);
    }
  }

  #sending<T>(frames: readonly Uint8Array[], body: (socket: BurstSocket) => T): T {
    const { namespace, link } = this.#options.from;
    const socket = inNamespace(namespace, () => new BurstSocket(link, frames));
    try {
      return body(socket);
    } finally {
      socket.close();
    }
  }
}
