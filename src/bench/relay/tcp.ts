import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import type { Endpoint } from '../../lab/stream/frames.ts';
import { nsenter } from '../../linux/namespace.ts';
import { ip, run } from '../../linux/run.ts';
import { makeBed, makeNamespace, uplink, type Bed } from '../bed.ts';
import { core, otherCore } from '../core.ts';
import { times, type RoundsOptions } from '../interleave.ts';
import { BenchError, median, note, round } from '../report.ts';
import { vm } from '../vms.ts';
import type { Contender } from './contenders.ts';

/** TCP from one VM to another behind the same port, in Gbit/s as its receiver counts them. */
export interface Tcp {
  readonly name: string;
  readonly gbitPerSecond: number;
}

/** Two VMs behind a VEPA uplink: macvlans, as libvirt would make macvtaps of it. */
interface Pair {
  readonly name: string;
  readonly server: string;
  readonly client: string;
}

const link = 'eth0';
const prefixLength = 8;

/** @returns the figures, and the last contender's as a multiple of the first's */
export async function tcp(
  contenders: readonly Contender[],
  { rounds, ms, stop }: RoundsOptions,
): Promise<{ readonly runs: readonly Tcp[]; readonly ratio: number | null }> {
  await using undo = new AsyncDisposableStack();
  const pairs: Pair[] = [];
  for (const { name, build } of contenders) {
    const bed = await makeBed();
    await build(bed, undo);
    pairs.push({ name, ...(await attachVms(bed)) });
  }
  const measured = pairs.map((): number[] => []);
  for (let turn = 1; turn <= rounds; turn++) {
    note(`tcp: round ${turn} of ${rounds}`);
    for (const [i, pair] of pairs.entries()) {
      await setImmediate();
      stop.throwIfAborted();
      measured[i]!.push(await throughput(pair, ms / 1000));
    }
  }
  const runs = pairs.map(({ name }, i) => ({ name, gbitPerSecond: round(median(measured[i]!), 2) }));
  return { runs, ratio: times(runs.at(-1)?.gbitPerSecond, runs[0]?.gbitPerSecond) };
}

async function attachVms({ host }: Bed): Promise<{ server: string; client: string }> {
  const [server, client] = [await makeNamespace('vm'), await makeNamespace('vm')];
  await attachVm(host, server, vm(0), vm(1));
  await attachVm(host, client, vm(1), vm(0));
  return { server, client };
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

/** The receiver on another core than the sender, as guests would have; the switch works on both. */
async function throughput({ name, server, client }: Pair, seconds: number): Promise<number> {
  const [command, ...args] = onCore(otherCore, server, ['iperf3', '--server', '--one-off', '--json']);
  const receiver = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(receiver, 'exit');
  try {
    await listening(server, ended);
    const time = String(Math.max(1, Math.round(seconds)));
    const iperf = ['iperf3', '--client', vm(0).address, '--time', time, '--zerocopy', '--json'];
    const [sender, ...rest] = onCore(core, client, iperf);
    return (JSON.parse(await run(sender, rest)) as Report).end.sum_received.bits_per_second / 1e9;
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
