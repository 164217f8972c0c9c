import { Command, Option } from 'commander';
import type { OffloadReport } from '../bench/offload/offload.ts';
import type { RelayReport } from '../bench/relay/relay.ts';
import { positive } from './arguments.ts';
import { benchmark, conditionsText, finish, measured, type BenchOptions } from './benchmark.ts';
import { table } from './output.ts';

const mostNumber = 9_999_999;

interface Rounds {
  readonly rounds: number;
}

function withRounds(command: Command): Command {
  return command.addOption(
    new Option('--rounds <n>', 'measurements of each, in turn').argParser(positive(mostNumber)).default(5),
  );
}

/** `hairpin bench relay` */
export function relayBenchCommand(): Command {
  return withRounds(
    benchmark(
      'relay',
      'what a frame costs in the relay, against the Linux bridge, nftables and Open vSwitch',
    ),
  ).action(async (options: BenchOptions & Rounds) => {
    const { benchRelay } = await import('../bench/relay/relay.ts');
    finish(await measured((stop) => benchRelay({ ...options, stop })), options, relayText);
  });
}

/** `hairpin bench offload` */
export function offloadBenchCommand(): Command {
  return withRounds(
    benchmark('offload', "what a VM's frames cost its host, by VEPA against a switch of the host's own"),
  )
    .addOption(
      new Option('--pps <n>', "one VM's frames a second, both directions together")
        .argParser(positive(mostNumber))
        .default(20_000),
    )
    .action(async ({ pps, ...options }: BenchOptions & Rounds & { readonly pps: number }) => {
      const { benchOffload } = await import('../bench/offload/offload.ts');
      const report = await measured((stop) => benchOffload({ ...options, framesPerSecond: pps, stop }));
      finish(report, options, offloadText);
    });
}

function relayText({
  frames,
  tcp,
  policed,
  stages,
  scale,
  ratios,
  ratiosPortEgress,
  missing,
  ...where
}: RelayReport): string {
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
      ['TCP under rate.max, with the default burst', 'Mbit/s', 'it got'],
      policed.map(({ algorithm, mbitPerSecond, share }) => [
        algorithm,
        mbitPerSecond,
        `${(100 * share).toFixed(1)} %`,
      ]),
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
    ratioTable(ratiosPortEgress, 'ratio, by port egress'),
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

function ratioTable(ratios: Readonly<Record<string, number | null>>, heading = 'ratio'): string {
  return table(
    [heading, ''],
    Object.entries(ratios).map(([name, ratio]) => [name, ratio ?? '-']),
  );
}
