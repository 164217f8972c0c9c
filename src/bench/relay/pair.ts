import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Endpoint } from '../../lab/stream/frames.ts';
import { nsenter } from '../../linux/net/namespace.ts';
import { ip, run } from '../../linux/run.ts';
import { makeNamespace, uplink, type Bed } from '../bed.ts';
import { core, otherCore } from '../core.ts';
import { BenchError } from '../report.ts';
import { vm } from '../vms.ts';

/** Two VMs behind a VEPA uplink: macvlans, as libvirt would make macvtaps of it. Namespaces, by their ends of TCP. */
export interface Pair {
  /** of what is between them */
  readonly name: string;
  readonly server: string;
  readonly client: string;
}

const link = 'eth0';
const prefixLength = 8;

/** VM 0 is the server, VM 1 the client. */
export async function attachPair(name: string, { host }: Bed): Promise<Pair> {
  const [server, client] = [await makeNamespace('vm'), await makeNamespace('vm')];
  await attachVm(host, server, vm(0), vm(1));
  await attachVm(host, client, vm(1), vm(0));
  return { name, server, client };
}

async function attachVm(host: string, namespace: string, self: Endpoint, other: Endpoint): Promise<void> {
  await ip(host, [
    `link add link ${uplink} name v0 address ${self.mac} type macvlan mode vepa`,
    `link set dev v0 name ${link} netns ${namespace}`,
  ]);
  await ip(namespace, [
    `addr add ${self.address}/${prefixLength} dev ${link}`,
    `link set dev ${link} up`,
    `neigh add ${other.address} lladdr ${other.mac} dev ${link}`,
  ]);
}

export interface Transfer {
  /** congestion control; default the kernel's */
  readonly algorithm?: string;
  /** that are measured, 1 at least */
  readonly seconds: number;
  /** that go by before; default none */
  readonly omitted?: number;
}

/**
 * What the server gets, in bits per second. The receiver on another core than the sender, as guests would have; the switch
 * works on both. @throws BenchError
 */
export async function throughput(
  { name, server, client }: Pair,
  { algorithm, seconds, omitted = 0 }: Transfer,
): Promise<number> {
  const [command, ...args] = onCore(otherCore, server, ['iperf3', '--server', '--one-off', '--json']);
  const receiver = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(receiver, 'exit');
  try {
    await listening(server, ended);
    const times = ['--time', String(Math.max(1, Math.round(seconds))), '--omit', String(omitted)];
    const control = algorithm === undefined ? [] : ['--congestion', algorithm];
    const iperf = ['iperf3', '--client', vm(0).address, ...times, ...control, '--zerocopy', '--json'];
    const [sender, ...rest] = onCore(core, client, iperf);
    return (JSON.parse(await run(sender, rest)) as Report).end.sum_received.bits_per_second;
  } catch (error) {
    throw new BenchError(`TCP through ${name}: ${(error as Error).message}`);
  } finally {
    receiver.kill();
    await ended;
  }
}

interface Report {
  readonly end: { readonly sum_received: { readonly bits_per_second: number } };
}

function onCore(number: number, namespace: string, command: readonly string[]): [string, ...string[]] {
  return nsenter(namespace, ['taskset', '-c', String(number), ...command]);
}

const port = 5201;
const patienceMs = 5000;

/** Returns when iperf3 listens. */
async function listening(namespace: string, ended: Promise<unknown>): Promise<void> {
  const end = Date.now() + patienceMs;
  let gone = false;
  void ended.then(() => (gone = true));
  const [command, ...args] = nsenter(namespace, ['ss', '-Hltn', `sport = :${port}`]);
  while (!(await run(command, args)).includes(`:${port}`)) {
    if (gone || Date.now() > end) throw new BenchError('iperf3 does not listen');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
