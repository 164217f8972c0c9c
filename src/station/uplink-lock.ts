import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { LocalSocketError } from '../local/socket-path.ts';

const answerMs = 1000;
const longestAnswer = 200;

/**
 * Makes this process the only station of ours on an uplink of this network namespace, until the returned function is
 * called or the process ends, however it does: a socket in the abstract namespace, which the kernel keeps for each
 * network namespace and takes back from the dead. Who wants it too is told who has it.
 * @throws LocalSocketError if a running process has it
 */
export async function lockUplink(uplink: string, control: string): Promise<() => void> {
  const name = `\0hairpin/station/${uplink}`;
  const server = createServer((other) => {
    other.on('error', () => {}); // it asked, and did not wait
    other.end(`pid ${process.pid}, control socket ${control}`);
  });
  try {
    server.listen(name);
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE') throw new LocalSocketError(`uplink ${uplink}: cannot be locked (${code})`);
    throw new LocalSocketError(
      `uplink ${uplink}: a station agent runs there already (${await holderOf(name)}); one for each uplink would be right`,
    );
  }
  return () => void server.close();
}

/** Whether a station agent of ours runs on the uplink. */
export async function isLocked(uplink: string): Promise<boolean> {
  const unlock = await lockUplink(uplink, '').catch(() => null);
  unlock?.();
  return unlock === null;
}

async function holderOf(name: string): Promise<string> {
  const socket = connect(name)
    .setEncoding('utf8')
    .setTimeout(answerMs, () => socket.destroy());
  let said = '';
  try {
    for await (const chunk of socket) {
      said += String(chunk);
      if (said.length > longestAnswer) break;
    }
  } catch {
    // it ends as we ask
  }
  // whoever may open a socket can pass for it
  const line = said.slice(0, longestAnswer).replaceAll(/[^\w ,/.:-]/g, '?');
  return line || 'it does not say which';
}
