import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { nsenter } from '../../linux/namespace.ts';
import { LabError } from '../lab.ts';
import type { StreamResult } from './accounting.ts';
import { siblingScript } from './sibling-script.ts';

/** What the peer's process says. */
export type PeerReport =
  | { readonly kind: 'flowing' }
  | { readonly kind: 'result'; readonly result: StreamResult };

export interface PeerOptions {
  /** the peer's namespace, and its interface there */
  readonly namespace: string;
  readonly link: string;
  /** the VM's IPv4 address */
  readonly address: string;
  /** where the VM's frames, untagged, may enter the network: the switch's station ports, with their namespace */
  readonly entries?: readonly { readonly namespace: string; readonly link: string }[];
  readonly timeoutMs?: number;
}

/** The two streams between the peer and one VM. */
export interface Streams {
  /** Stops sending, waits for what is still on its way, and counts. @throws LabError if the process has failed */
  stop(): Promise<StreamResult>;
}

/** Starts both streams. @throws LabError unless both flow in time */
export async function openStreams(options: PeerOptions): Promise<Streams> {
  const { namespace, link, address, entries = [], timeoutMs = 5000 } = options;
  const [command, ...args] = nsenter(namespace, [
    process.execPath,
    siblingScript(import.meta.url, 'peer-side'),
    link,
    address,
    ...entries.flatMap((entry) => [entry.namespace, entry.link]),
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
  return {
    async stop() {
      child.stdin.end('stop\n');
      for (;;) {
        const report = await next();
        if (report.kind === 'result') return report.result;
      }
    },
  };
}
