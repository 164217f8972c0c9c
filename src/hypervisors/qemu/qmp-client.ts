import { connect, type Socket } from 'node:net';
import { Failure } from '../../base/failure.ts';
import { lineSplitter } from './json-lines.ts';
import { decodeQmp, type QmpEvent } from './qmp-message.ts';

/** A monitor that does not answer, answers with an error, or does not speak QMP; the message names the socket. */
export class QmpError extends Failure {
  override name = 'QmpError';
  /** `refusal`: QEMU answered that it will not; the connection is as good as before */
  readonly kind: 'refusal' | 'timeout' | 'connection';
  /** the system's word for it, where there is one: "ECONNREFUSED"; "EOF" where QEMU has closed the connection */
  readonly code: string | null;

  constructor(kind: QmpError['kind'], message: string, code: string | null = null) {
    super(message);
    this.kind = kind;
    this.code = code;
  }
}

export interface QmpOptions {
  readonly onEvent?: (event: QmpEvent) => void;
  /** Called once when the connection has ended, with the reason unless `close` was called. */
  readonly onClose?: (reason: QmpError | null) => void;
  /** for the greeting and for each command; the default is 5,000; Infinity waits as long as QEMU keeps the connection */
  readonly timeoutMs?: number;
  /** Called once if QEMU takes long to greet. */
  readonly slow?: (message: string) => void;
  readonly slowMs?: number;
  /** gives up the connection, also before the greeting */
  readonly signal?: AbortSignal;
}

/** a reply to query-qmp-schema has some 150 kB; nothing else comes near */
const lineLimit = 1 << 20;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: QmpError) => void;
  readonly timer: NodeJS.Timeout | undefined;
}

/** One connection to a QEMU monitor (unix socket). A monitor serves one client at a time. */
export class QmpClient {
  readonly #socket: Socket;
  readonly #path: string;
  readonly #timeoutMs: number;
  readonly #options: QmpOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #lines = lineSplitter(lineLimit);
  #nextId = 1;
  #greeted: (() => void) | null = null;
  #refused: ((reason: QmpError) => void) | null = null;
  #ended = false;

  private constructor(path: string, options: QmpOptions) {
    this.#path = path;
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? 5000;
    this.#socket = connect(path);
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (chunk: string) => this.#read(chunk));
    this.#socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#end(this.#error('connection', error.message, error.code ?? null)),
    );
    this.#socket.on('close', () => this.#end(this.#error('connection', 'closed by QEMU', 'EOF')));
    options.signal?.addEventListener('abort', () => this.close(), { once: true });
  }

  /** Connects, waits for the greeting and leaves capabilities negotiation. @throws QmpError */
  static async connect(path: string, options: QmpOptions = {}): Promise<QmpClient> {
    const client = new QmpClient(path, options);
    await client.#greeting();
    await client.execute('qmp_capabilities');
    return client;
  }

  /** Runs a command and returns its result. @throws QmpError when QEMU refuses, is too late or goes away */
  execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    return new Promise((resolve, reject) => this.ask(command, args, resolve, reject));
  }

  /** As `execute`, but the answer is told at its place among the events, before those that came after it. */
  ask(
    command: string,
    args: Readonly<Record<string, unknown>> | undefined,
    answered: (value: unknown) => void,
    failed: (error: QmpError) => void,
  ): void {
    if (this.#ended) return failed(this.#error('connection', `${command}: the connection has ended`));
    const id = this.#nextId++;
    const timer = after(this.#timeoutMs, () => {
      this.#pending.delete(id);
      failed(this.#error('timeout', `${command}: no answer within ${this.#timeoutMs} ms`));
    });
    this.#pending.set(id, { resolve: answered, reject: failed, timer });
    this.#socket.write(
      `${JSON.stringify(args ? { execute: command, arguments: args, id } : { execute: command, id })}\n`,
    );
  }

  close(): void {
    this.#end(null);
  }

  #greeting(): Promise<void> {
    return new Promise((resolve, reject) => {
      const { slow, slowMs = 5000 } = this.#options;
      const hint = 'another client may hold this monitor, each needs its own';
      const slowTimer = after(slow ? slowMs : Infinity, () =>
        slow?.(`${this.#path}: no QMP greeting yet; it is waited for (QEMU may be starting; or ${hint})`),
      );
      const lateTimer = after(this.#timeoutMs, () =>
        this.#end(this.#error('timeout', `no QMP greeting within ${this.#timeoutMs} ms; ${hint}`)),
      );
      const settled = () => {
        clearTimeout(slowTimer);
        clearTimeout(lateTimer);
      };
      this.#greeted = () => {
        settled();
        this.#refused = null;
        resolve();
      };
      this.#refused = (reason) => {
        settled();
        reject(reason);
      };
    });
  }

  #read(chunk: string): void {
    const lines = this.#lines.push(chunk);
    if (!lines) return this.#end(this.#error('connection', `a line of more than ${lineLimit} characters`));
    for (const line of lines) {
      if (this.#ended) return;
      this.#take(line);
    }
  }

  #take(line: string): void {
    const message = decodeQmp(line);
    if (!message)
      return this.#end(this.#error('connection', `not QMP: ${JSON.stringify(line.slice(0, 60))}`));
    switch (message.kind) {
      case 'greeting':
        this.#greeted?.();
        return;
      case 'event':
        this.#options.onEvent?.(message.event);
        return;
      case 'result':
        this.#settle(message.id)?.resolve(message.value);
        return;
      case 'error':
        this.#settle(message.id)?.reject(this.#error('refusal', message.description));
    }
  }

  /** The command that `id` answers; none if it timed out before, or if nobody asked. */
  #settle(id: unknown): Pending | undefined {
    const pending = this.#pending.get(id as number);
    if (!pending) return undefined;
    clearTimeout(pending.timer);
    this.#pending.delete(id as number);
    return pending;
  }

  #end(reason: QmpError | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    const failure = reason ?? this.#error('connection', 'closed');
    this.#refused?.(failure);
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(failure);
    }
    this.#pending.clear();
    this.#options.onClose?.(reason);
  }

  #error(kind: QmpError['kind'], what: string, code: string | null = null): QmpError {
    return new QmpError(kind, `${this.#path}: ${what}`, code);
  }
}

/** A timer; none that never ends. */
function after(ms: number, action: () => void): NodeJS.Timeout | undefined {
  return ms === Infinity ? undefined : setTimeout(action, ms);
}
