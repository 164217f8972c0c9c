import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { nsenter } from '../../linux/net/namespace.ts';
import { LabError } from '../lab-error.ts';
import type { StreamResult } from './accounting.ts';
import { siblingScript } from './sibling-script.ts';

/** What the peer's process says: both streams flow; it sends no more; what it has counted. */
export type PeerReport =
  | { readonly kind: 'flowing' | 'ended' }
  | { readonly kind: 'result'; readonly result: StreamResult };

/** What it is told: to ask the VM for silence; to send no more; to ask the VM what it has received. */
export type PeerCommand = 'quiet' | 'end' | 'count';

/** An interface that is only looked at. */
export interface Lookout {
  readonly namespace: string;
  readonly link: string;
}

export interface PeerTask {
  /** the peer's interface */
  readonly link: string;
  /** the VM's IPv4 address */
  readonly address: string;
  /** where the VM's frames, untagged, may enter the network: the switch's station ports */
  readonly entries: readonly Lookout[];
  /** where frames to the VM, untagged, may leave the network: the hosts' uplinks */
  readonly exits: readonly Lookout[];
}

export interface PeerOptions
  extends Pick<PeerTask, 'link' | 'address'>, Partial<Pick<PeerTask, 'entries' | 'exits'>> {
  /** the peer's */
  readonly namespace: string;
  readonly timeoutMs?: number;
}

/** The two streams between the peer and one VM. Each call: @throws LabError if the process has failed. */
export interface Streams {
  /** From now on the VM is to send nothing. */
  hush(): void;
  /** Stops sending, and waits for what is still on its way. */
  end(): Promise<void>;
  /** Asks the VM what it has received, which therefore has to be reachable, and counts. That is the end of the streams. */
  count(): Promise<StreamResult>;
  /** `end` and `count`. */
  stop(): Promise<StreamResult>;
  /** The end of the streams without a result. */
  abandon(): void;
}

/** Starts both streams. @throws LabError unless both flow in time */
export async function openStreams(options: PeerOptions): Promise<Streams> {
  const { namespace, link, address, entries = [], exits = [], timeoutMs = 5000 } = options;
  const task: PeerTask = { link, address, entries, exits };
  const [command, ...args] = nsenter(namespace, [
    process.execPath,
    siblingScript(import.meta.url, 'peer-side'),
    JSON.stringify(task),
  ]);
  const child = spawn(command, args, { stdio: 'pipe' });
  let complaint = '';
  child.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (complaint = (complaint + text).slice(-2000)));
  child.stdin.on('error', () => {}); // it has ended; `failed` tells why
  const failed = new Promise<never>((_, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) =>
      reject(new LabError(`the streams to ${address} ended (${signal ?? code}): ${complaint.trim()}`)),
    );
  });
  failed.catch(() => {}); // after a result nobody waits for the end
  const reports = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<PeerReport> => {
    const { value, done } = await reports.next();
    return done ? await failed : (JSON.parse(value) as PeerReport);
  };

  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new LabError(`no streams with ${address} from ${namespace} within ${timeoutMs} ms`)),
      timeoutMs,
    );
  });
  try {
    await Promise.race([next(), failed, late]);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    clearTimeout(timer);
  }
  const tell = (command: PeerCommand): void => void child.stdin.write(`${command}\n`);
  const end = async (): Promise<void> => {
    tell('end');
    while ((await next()).kind !== 'ended');
  };
  const count = async (): Promise<StreamResult> => {
    tell('count');
    child.stdin.end();
    for (;;) {
      const report = await next();
      if (report.kind === 'result') return report.result;
    }
  };
  return {
    hush: () => tell('quiet'),
    end,
    count,
    async stop() {
      await end();
      return count();
    },
    abandon: () => void child.kill('SIGKILL'),
  };
}
