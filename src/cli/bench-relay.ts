import { accessSync, constants, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { OffloadReport } from '../bench/offload/offload.ts';
import type { RelayReport } from '../bench/relay/relay.ts';
import type { Conditions } from '../bench/report.ts';
import { mayUseKernel } from '../lab/place.ts';
import { Failure } from './failure.ts';
import { print, table } from './output.ts';

interface Options {
  readonly rounds: number;
  readonly quick: boolean;
  readonly output?: string;
  readonly json?: boolean;
}

/** `hairpin bench relay` */
export function relayBenchCommand(): Command {
  return benchmark(
    'relay',
    'what a frame costs in the relay, against the Linux bridge, nftables and Open vSwitch',
  ).action(async (options: Options) => {
    const { benchRelay } = await import('../bench/relay/relay.ts');
    finish(await interruptible((stop) => benchRelay({ ...options, stop })), options, relayText);
  });
}

/** `hairpin bench offload` */
export function offloadBenchCommand(): Command {
  return benchmark('offload', "what a VM's frames cost its host, by VEPA against a switch of the host's own")
    .addOption(
      new Option('--pps <n>', "one VM's frames a second, both directions together")
        .argParser(positive)
        .default(20_000),
    )
    .action(async ({ pps, ...options }: Options & { readonly pps: number }) => {
      const { benchOffload } = await import('../bench/offload/offload.ts');
      const report = await interruptible((stop) => benchOffload({ ...options, framesPerSecond: pps, stop }));
      finish(report, options, offloadText);
    });
}

function benchmark(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .addOption(new Option('--rounds <n>', 'measurements of each, in turn').argParser(positive).default(5))
    .option('--quick', 'a run that only shows that it works', false)
    .addOption(new Option('--output <file>', 'write the report there too').argParser(writable))
    .option('--json', 'print JSON');
}

/** A signal takes down what was set up before it ends the process. */
async function interruptible<R>(measure: (stop: AbortSignal) => Promise<R>): Promise<R> {
  if (!mayUseKernel())
    throw new Failure(
      'the benchmark makes network namespaces and loads eBPF programs: it needs root on Linux',
    );
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => stop.abort(new Failure('interrupted')));
  try {
    return await measure(stop.signal);
  } catch (error) {
    stop.signal.throwIfAborted(); // what the signal did to our children is no other error
    throw error;
  }
}

function finish<R extends Conditions>(
  report: R,
  { output, json }: Options,
  text: (report: R) => string,
): void {
  if (output) writeFileSync(output, `${JSON.stringify(report, null, 2)}\n`);
  print(report, json, () => text(report));
}

function relayText({ frames, tcp, stages, scale, ratios, missing, ...where }: RelayReport): string {
  const sizes = Object.keys(frames);
  const names = Object.values(frames)[0]!.paths.map(({ name }) => name);
  const ns = (size: string, name: string) => {
    const it = frames[Number(size)]!.paths.find((path) => path.name === name)!;
    return `${it.ns} (${it.min}-${it.max})`;
  };
  return [
    table(
      ["ns per frame, the generator's not included", ...sizes.map((size) => `${size} octets`)],
      [
        ['(generator alone)', ...sizes.map((size) => String(frames[Number(size)]!.generator))],
        ...names.map((name) => [name, ...sizes.map((size) => ns(size, name))]),
      ],
    ),
    table(
      ['TCP between two VMs behind one port', 'Gbit/s'],
      tcp.map(({ name, gbitPerSecond }) => [name, gbitPerSecond]),
    ),
    table(
      ['the program alone', 'ns'],
      stages.map(({ stage, ns }) => [stage, ns]),
    ),
    table(
      ['VSIs', 'ns per frame', 'to program, ms', 'maps, MiB', 'driver, MiB'],
      scale.sizes.map(({ vsis, ns, programMs, mapMiB, driverMiB }) => [
        vsis,
        ns,
        programMs,
        mapMiB,
        driverMiB,
      ]),
    ),
    ratioTable(ratios),
    ...leftOut(missing),
    conditionsText(where),
  ].join('\n\n');
}

function offloadText(report: OffloadReport): string {
  const { hosts, handOver, framesPerSecond, ratios, missing } = report;
  return [
    table(
      [
        'ns of the host per frame',
        'from the VM',
        'to it',
        'mean, all in all',
        `VMs of ${framesPerSecond} frames/s per core`,
      ],
      hosts.map(({ name, fromVm, toVm, perFrame, vmsPerCore }) => [name, fromVm, toVm, perFrame, vmsPerCore]),
    ),
    `All in all: with the ${handOver} ns that handing a frame over costs, whoever switches it. Not the host's, and not in
these figures: the ${report.switch.perFrame} ns that the switch pays (${report.switch.name}).`,
    ratioTable(ratios),
    ...leftOut(missing),
    conditionsText(report),
  ].join('\n\n');
}

function leftOut(missing: Readonly<Record<string, string>>): string[] {
  return Object.entries(missing).map(([name, why]) => `left out: ${name}: ${why}`);
}

function ratioTable(ratios: Readonly<Record<string, number | null>>): string {
  return table(
    ['ratio', ''],
    Object.entries(ratios).map(([name, ratio]) => [name, ratio ?? '-']),
  );
}

function conditionsText({ machine, kernel, versions }: Conditions): string {
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB; Linux ${kernel}`,
    ...Object.entries(versions).map(([name, version]) => `${name} ${version}`),
  ].join('; ');
}

function positive(value: string): number {
  if (!/^[1-9]\d{0,6}$/.test(value))
    throw new InvalidArgumentError('a number from 1 to 9999999 would be right.');
  return Number(value);
}

/** To be told after the benchmark that its report cannot be written would be late. */
function writable(path: string): string {
  try {
    accessSync(dirname(resolve(path)), constants.W_OK);
  } catch {
    throw new InvalidArgumentError(
      'a file in a directory that is there and can be written to would be right.',
    );
  }
  return path;
}
