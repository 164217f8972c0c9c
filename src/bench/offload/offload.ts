import { removeBeds } from '../bed.ts';
import { core, pinToCore } from '../core.ts';
import { costs, times, type Costs } from '../interleave.ts';
import { conditions, note, round, type Conditions } from '../report.ts';
import { generatorPath, mirroringHairpin, pathThrough } from '../relay/contenders.ts';
import { needTools } from '../tools.ts';
import { frame, vm } from '../vms.ts';
import { hosts, names, pathsThrough } from './hosts.ts';

/** What a host pays for a VM's frames, in ns of CPU time: beside what handing one over costs anyway. */
export interface HostCost {
  readonly name: string;
  readonly fromVm: number;
  readonly toVm: number;
  /** the mean of both, with the handing over */
  readonly perFrame: number;
  /** that send and receive so many frames a second, half and half, and fill one core with it */
  readonly vmsPerCore: number;
}

export interface OffloadReport extends Conditions {
  readonly core: number;
  readonly rounds: number;
  readonly framesPerSecond: number;
  /** what handing a frame over costs, whoever switches it: the generator alone */
  readonly handOver: number;
  readonly hosts: readonly HostCost[];
  /** what the switch pays for a frame in the host's stead, and with which policy */
  readonly switch: { readonly name: string; readonly perFrame: number };
  readonly missing: Readonly<Record<string, string>>;
  readonly ratios: {
    readonly vmsPerCoreVsBridge: number | null;
    readonly vmsPerCoreVsOvs: number | null;
  };
}

export interface OffloadOptions {
  readonly rounds: number;
  readonly quick: boolean;
  /** of one VM, in both directions together */
  readonly framesPerSecond: number;
  readonly stop: AbortSignal;
}

/** The sizes of one VM's frames: seven small, four middling, one full ("IMIX"). */
const mix = [64, 594, 64, 64, 594, 64, 1500, 64, 594, 64, 64, 594];

/** @throws BenchError when a host does not apply the profile, or loses frames */
export async function benchOffload({
  rounds,
  quick,
  framesPerSecond,
  stop,
}: OffloadOptions): Promise<OffloadReport> {
  needTools(['nft', 'tc', 'bridge', 'taskset']);
  await pinToCore();
  try {
    await using undo = new AsyncDisposableStack();
    const fromVm = mix.map((size) => frame(vm(0), vm(1), size));
    const toVm = mix.map((size) => frame(vm(1), vm(0), size));
    const all = hosts();
    const there = all.filter(({ missing }) => missing === null);
    const trials = [];
    for (const host of there) {
      stop.throwIfAborted();
      note(`sets up and checks: ${host.name}`);
      const paths = await pathsThrough(host, undo);
      trials.push({ path: paths.out, frames: fromVm }, { path: paths.in, frames: toVm });
    }
    const relay = mirroringHairpin();
    trials.push({ path: await pathThrough(relay, undo), frames: fromVm });
    const measured = await costs('offload', await generatorPath(undo), trials, {
      rounds,
      stop,
      ms: quick ? 10 : 250,
    });
    const table = there.map(({ name }, i) => hostCost(name, i, measured, framesPerSecond));
    const vms = (name: string) => table.find((host) => host.name === name)?.vmsPerCore;
    return {
      ...(await conditions(['nftables', 'iproute2', 'openvswitch-switch'])),
      core,
      rounds,
      framesPerSecond,
      handOver: measured.generator,
      hosts: table,
      switch: { name: relay.name, perFrame: measured.paths.at(-1)!.ns },
      missing: Object.fromEntries(
        all.flatMap(({ name, missing }) => (missing === null ? [] : [[name, missing]])),
      ),
      ratios: {
        vmsPerCoreVsBridge: times(vms(names.vepa), vms(names.bridge('sets'))),
        vmsPerCoreVsOvs: times(vms(names.vepa), vms(names.openVswitch)),
      },
    };
  } finally {
    await removeBeds();
  }
}

/** The i-th host's two paths stand beside each other. */
function hostCost(name: string, i: number, { generator, paths }: Costs, framesPerSecond: number): HostCost {
  const [fromVm, toVm] = [paths[2 * i]!.ns, paths[2 * i + 1]!.ns];
  const perFrame = round(generator + (fromVm + toVm) / 2, 0);
  return { name, fromVm, toVm, perFrame, vmsPerCore: round(1e9 / (perFrame * framesPerSecond), 1) };
}
