import { spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Migration, Strategy } from '../domain/migration.ts';
import { addedText, compare, type Comparison } from '../lab/compare.ts';
import { labClient, serveLab } from '../lab/daemon.ts';
import { endedText, type Lab, type LabOptions, type LabStatus, type VmKind } from '../lab/lab.ts';
import type { MigrationRun } from '../lab/migrate.ts';
import { labDirectory, labName, labSocket, mayUseKernel } from '../lab/place.ts';
import { answers } from '../local/socket-path.ts';
import { Failure } from '../base/failure.ts';
import { interruptible, interruption } from './interrupt.ts';
import { print, table } from './output.ts';
import { ask, type Server } from './server.ts';

export interface UpOptions {
  id: string;
  vms: VmKind;
  listen: string;
  simulated?: boolean;
  detach?: boolean;
  json?: boolean;
}

export async function up(options: UpOptions): Promise<void> {
  if (options.detach) {
    await detach(options);
    return;
  }
  const stop = interruption();
  const lab = await interruptible(async () => {
    const made = await newLab(options, options.vms, options.listen);
    await made.up();
    return made;
  }, stop);
  const lookout = lookAfter(lab);
  try {
    stop.throwIfAborted();
    const served = serveLab(lab, labSocket(options.id), stop);
    process.send?.(lab.status());
    process.disconnect?.();
    print(lab.status(), options.json, () => `${statusText(lab.status())}\n\n${hint(options.id)}`);
    await served;
  } finally {
    clearInterval(lookout);
    console.error('taking the lab down');
    await lab.down();
  }
}

const lookMs = 1000;

/** Says which of the lab's agents and VMs have ended, as soon as they have. */
function lookAfter(lab: Lab): NodeJS.Timeout {
  let told: readonly string[] = [];
  return setInterval(() => {
    const { ended } = lab.status();
    const news = ended.filter((each) => !told.includes(each));
    if (news.length) note(endedText(news));
    told = ended;
  }, lookMs);
}

/** Runs `lab up` in a process of its own and returns when that is up. */
async function detach({ id, vms, listen, simulated, json }: UpOptions): Promise<void> {
  const log = detachedLog(id);
  const output = openSync(log, 'w', 0o600);
  const entry = fileURLToPath(import.meta.url).replace(/lab-actions\.(ts|js)$/, 'main.$1');
  const child = spawn(
    process.execPath,
    [entry, 'lab', 'up', '--id', id, '--vms', vms, '--listen', listen, ...(simulated ? ['--simulated'] : [])],
    { stdio: ['ignore', output, output, 'ipc'], detached: true },
  );
  const status = await interruptible(async (stop) => {
    stop.addEventListener('abort', () => child.kill('SIGINT'), { once: true });
    return new Promise<LabStatus>((resolve, reject) => {
      child.once('message', (message) => resolve(message as LabStatus));
      child.once('exit', () => {
        const words = readFileSync(log, 'utf8').trim().split('\n');
        if (stop.aborted) rmSync(log);
        reject(new Failure(words.at(-1)?.replace(/^hairpin: /, '') ?? 'the lab did not start'));
      });
    });
  });
  child.unref();
  print(
    status,
    json,
    () => `${statusText(status)}\n\n${hint(id)}\nIt goes on in the background, with its log in ${log}.`,
  );
}

export async function down({ id }: { id: string }): Promise<void> {
  const socket = labSocket(id);
  const wasUp = await answers(socket);
  if (wasUp) {
    const { pid } = await labClient(socket).down();
    while (isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const isLeft = existsSync(labDirectory(id));
  if (mayUseKernel()) await sweepKernel(id);
  else rmSync(labDirectory(id), { recursive: true, force: true });
  rmSync(detachedLog(id), { force: true });
  const what = wasUp
    ? 'is down'
    : isLeft
      ? 'was not up any more; what was left of it is removed'
      : 'is not up';
  console.log(`${labName(id)} ${what}`);
}

async function sweepKernel(id: string): Promise<void> {
  const { sweep } = await import('../lab/sweep.ts');
  const { namesOf } = await import('../lab/topology.ts');
  await sweep(namesOf(id), labDirectory(id));
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function detachedLog(id: string): string {
  return `${labDirectory(id)}.log`;
}

export interface StatusOptions {
  id: string;
  json?: boolean;
}

export async function status({ id, json }: StatusOptions): Promise<void> {
  const found = await ask(labServer(id), (socket) => labClient(socket).status());
  print(found, json, () => statusText(found));
  if (found.ended.length) throw new Failure(endedText(found.ended));
}

export interface MigrateOptions {
  id: string;
  strategy: Strategy;
  json?: boolean;
}

export async function migrate(
  vm: string,
  host: string,
  { id, strategy, json }: MigrateOptions,
): Promise<void> {
  const run = await ask(labServer(id), (socket) => labClient(socket).migrate({ vm, host, strategy }));
  print(run, json, () => runText(run));
}

export interface CompareOptions {
  id: string;
  vms: VmKind;
  runs: number;
  simulated?: boolean;
  silent?: boolean;
  json?: boolean;
}

export async function compareStrategies(options: CompareOptions): Promise<void> {
  const { id, vms, runs, simulated = false, silent = false, json } = options;
  // a lab of its own, beside one that may be up
  const own = id === 'lab' ? 'cmp' : id;
  await interruptible(async (stop) => {
    await using stack = new AsyncDisposableStack();
    const lab = await newLab({ id: own, simulated }, vms, '127.0.0.1:0');
    await lab.up();
    stack.defer(() => lab.down());
    const learningLab =
      simulated || !mayUseKernel() ? null : await newLearningLab(`${own.slice(0, 5)}l`, vms);
    await learningLab?.up();
    stack.defer(() => learningLab?.down());
    const result = await compare({ lab, learningLab, runs, silent }, note, stop);
    print(result, json, () => comparisonText(result));
  });
}

/** Who serves what `lab status` and the like ask. */
function labServer(id: string): Server {
  const more = id === 'lab' ? '' : ` --id ${id}`;
  return { socket: labSocket(id), absent: `${labName(id)} is not up`, start: `hairpin lab up${more}` };
}

/** What a lab is made of is loaded only for one: the other commands are quick. */
async function newLab(
  { id, simulated }: { id: string; simulated?: boolean },
  vms: VmKind,
  listen: string,
): Promise<Lab> {
  const options: LabOptions = { id, vms, listen, progress: note };
  if (mayUseKernel() && !simulated) {
    const { KernelLab } = await import('../lab/kernel-lab.ts');
    return new KernelLab(options);
  }
  note(
    simulated
      ? 'this is the simulated lab: one process, simulated links, the reference relay'
      : 'without root on Linux this is the simulated lab: one process, simulated links, the reference relay',
  );
  if (vms === 'qemu')
    throw new Failure('--vms qemu needs root on Linux; the simulated lab has VMs of its own', 2);
  const { SimulatedLab } = await import('../lab/simulated/lab.ts');
  return new SimulatedLab(options);
}

/** A second laboratory, whose switch is a plain learning bridge. */
async function newLearningLab(id: string, vms: VmKind) {
  const { LearningLab } = await import('../lab/learning-lab.ts');
  note('the same hosts at a plain learning bridge');
  return new LearningLab({ id, vms, progress: note });
}

/** Progress goes beside the result, not into it. */
function note(line: string): void {
  console.error(`lab: ${line}`);
}

function statusText({ kind, vmKind, manager, processes, vms }: LabStatus): string {
  return [
    table(
      ['VM', 'TENANT', 'VLAN', 'MAC', 'ADDRESS', 'HOST'],
      vms.map(({ name, tenant, vlan, mac, address, host }) => [
        name,
        tenant,
        vlan,
        mac,
        address,
        host ?? '-',
      ]),
    ),
    '',
    `lab      ${kind}, VMs: ${vmKind}`,
    ...processes.map(({ name, pid }) => `${name.padEnd(8)} pid ${pid ?? '-'}`),
    `manager  ${manager}`,
  ].join('\n');
}

function hint(id: string): string {
  const flag = id === 'lab' ? '' : ` --id ${id}`;
  return `Try: ./hairpin lab migrate a h2${flag}     Then: ./hairpin lab migrate a h1${flag} --strategy garp`;
}

function runText(run: MigrationRun): string {
  const { report } = run;
  return [
    `VM ${run.vm}, ${run.from} to ${run.to}, ${run.strategy}: ${report?.state ?? 'not told of'}`,
    ...(report ? reportLines(report) : []),
    'the streams, 1 frame each ms in each direction',
    `  lost        ${run.lost.toVm} to the VM, ${run.lost.fromVm} from it; twice: ${run.duplicated}`,
    `  to the VM   ${lossText(run.lost)}`,
    `  gap         ${milliseconds(run.gapMs)} = the VM's own stop ${milliseconds(run.stopMs)} + the network ${milliseconds(run.networkAddedMs)}`,
  ].join('\n');
}

function reportLines(report: Migration): string[] {
  const start = Math.min(...Object.values(report.times));
  const times = Object.entries(report.times)
    .sort(([, a], [, b]) => a - b)
    .map(([moment, at]) => `  ${moment.padEnd(10)}${((at - start) / 1000).toFixed(1).padStart(9)} ms`);
  const counts = (['source', 'destination'] as const).map((end) => {
    const count = report.counts[end];
    const drops = Object.entries(count?.dropped ?? {}).map(([reason, frames]) => `${frames} ${reason}`);
    return `  ${end.padEnd(12)}${(report[end]?.port ?? '-').padEnd(6)}from VM ${count?.framesFromVm ?? '-'}, to VM ${count?.framesToVm ?? '-'}, dropped ${drops.join(', ') || 'none'}`;
  });
  return [...times, 'at the switch', ...counts];
}

function lossText({ sourceTap, beforeFlip, queueFull, afterFlip }: MigrationRun['lost']): string {
  return [
    `${sourceTap} in the source's tap`,
    `${beforeFlip} sent to the source after the VM stopped there`,
    `${queueFull} that the destination's queue did not keep`,
    `${afterFlip} others`,
  ].join(', ');
}

function milliseconds(ms: number | null): string {
  return ms === null ? 'without end' : `${ms.toFixed(1)} ms`;
}

function comparisonText({ strategies }: Comparison): string {
  const rows = Object.entries(strategies).flatMap(([strategy, { runs }]) =>
    runs.map((run, i) => [
      strategy,
      i + 1,
      run.stopMs.toFixed(1),
      run.gapMs?.toFixed(1) ?? '-',
      run.networkAddedMs?.toFixed(1) ?? 'never',
      run.lost.toVm,
      run.lost.beforeFlip,
      run.lost.afterFlip,
      run.lost.fromVm,
      run.droppedAtSwitch,
      run.duplicated,
    ]),
  );
  const heading = [
    'STRATEGY',
    'RUN',
    'STOP ms',
    'GAP ms',
    'NETWORK ADDED ms',
    'LOST TO',
    'BEFORE FLIP',
    'AFTER',
    'FROM',
    'DROPPED',
    'TWICE',
  ];
  const summary = Object.entries(strategies).map(
    ([
      strategy,
      {
        networkAddedMs: { p50, max },
      },
    ]) => `${strategy}: ${addedText(p50)} (median); at most: ${addedText(max)}`,
  );
  return [table(heading, rows), '', ...summary].join('\n');
}
