import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const greeting = { QMP: { version: { qemu: { major: 7, minor: 2, micro: 0 } }, capabilities: ['oob'] } };

export type Answer = (command: string, args: unknown) => unknown;

/** A refusal, as QEMU puts it. */
export class Refusal {
  readonly description: string;
  constructor(description: string) {
    this.description = description;
  }
}

/** A monitor that speaks just enough QMP; `answer` decides each result, `undefined` means silence. */
export class FakeMonitor {
  readonly path: string;
  readonly commands: string[] = [];
  readonly #server: Server;
  #client: Socket | undefined;
  readonly #greets: boolean;

  private constructor(path: string, answer: Answer, greets: boolean) {
    this.path = path;
    this.#greets = greets;
    this.#server = createServer((socket) => this.#serve(socket, answer));
  }

  static listen(path: string, answer: Answer = () => ({}), greets = true): Promise<FakeMonitor> {
    const monitor = new FakeMonitor(path, answer, greets);
    return new Promise((resolve) => monitor.#server.listen(path, () => resolve(monitor)));
  }

  say(text: string): void {
    this.#client?.write(text);
  }

  event(name: string, data: object = {}, seconds = 1_700_000_000, microseconds = 5): void {
    this.say(`${JSON.stringify({ event: name, data, timestamp: { seconds, microseconds } })}\r\n`);
  }

  greet(): void {
    this.say(`${JSON.stringify(greeting)}\r\n`);
  }

  hangUp(): void {
    this.#client?.destroy();
  }

  close(): Promise<void> {
    this.#client?.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket, answer: Answer): void {
    this.#client = socket;
    let text = '';
    socket.on('error', () => {});
    if (this.#greets) socket.write(`${JSON.stringify(greeting)}\r\n`);
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const lines = text.split('\n');
      text = lines.pop()!;
      for (const line of lines) {
        const { execute, arguments: args, id } = JSON.parse(line) as Record<string, unknown>;
        this.commands.push(String(execute));
        const result = answer(String(execute), args);
        if (result instanceof Refusal)
          socket.write(
            `${JSON.stringify({ id, error: { class: 'GenericError', desc: result.description } })}\r\n`,
          );
        else if (result !== undefined) socket.write(`${JSON.stringify({ id, return: result })}\r\n`);
      }
    });
  }
}

/** A directory of the test's own, removed with all in it. */
export function scratch(): { directory: string; file: (name: string) => string; remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'hp-qmp-'));
  return {
    directory,
    file: (name) => join(directory, name),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
