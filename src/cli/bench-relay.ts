import { benchOffload, type OffloadReport } from '../bench/offload/offload.ts';
import { benchRelay, type RelayReport } from '../bench/relay/relay.ts';
import { conditionsText, finish, measured, type BenchOptions } from './bench-report.ts';
import { table } from './output.ts';

export interface Rounds {
  readonly rounds: number;
}

export interface Load {
  readonly pps: number;
}

export async function measureRelay(options: BenchOptions & Rounds): Promise<void> {
  const report = await measured((stop) => benchRelay({ ...options, stop }));
  finish(report, options, relayText);
}

export async function measureOffload({ pps, ...options }: BenchOptions & Rounds & Load): Promise<void> {
  const report = await measured((stop) => benchOffload({ ...options, framesPerSecond: pps, stop }));
  finish(report, options, offloadText);
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
