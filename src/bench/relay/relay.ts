import {
  contenders,
  generatorPath,
  names,
  pathThrough,
  ruleCounts,
  type Contender,
  type Delivery,
} from './contenders.ts';
import { removeBeds } from '../bed.ts';
import { core, pinToCore } from '../core.ts';
import { costs, times, type Cost, type Costs, type RoundsOptions } from '../interleave.ts';
import type { Path } from '../path.ts';
import { conditions, note, type Conditions } from '../report.ts';
import { needTools } from '../tools.ts';
import { frame, vm } from '../vms.ts';
import { policed, type PolicedTcp } from './policed.ts';
import { scale, type Scale } from './scale.ts';
import { stages, type Stage } from './stages.ts';
import { tcp, type Tcp } from './tcp.ts';

export interface RelayReport extends Conditions {
  readonly core: number;
  readonly rounds: number;
  /** contenders and kinds of TCP that could not take part, and why */
  readonly missing: Readonly<Record<string, string>>;
  /** by size of frame in octets */
  readonly frames: Readonly<Record<number, Costs>>;
  readonly tcp: readonly Tcp[];
  readonly policed: readonly PolicedTcp[];
  readonly stages: readonly Stage[];
  readonly scale: Scale;
  readonly ratios: Readonly<Record<string, number | null>>;
  /** the same where frames leave through the port's own egress, as on a port that is no veth */
  readonly ratiosPortEgress: Readonly<Record<string, number | null>>;
}

export interface RelayOptions {
  readonly rounds: number;
  readonly quick: boolean;
  readonly stop: AbortSignal;
}

const sizes = [64, 1500] as const;

/** @throws BenchError when a contender does not enforce the policy, or loses frames */
export async function benchRelay({ rounds, quick, stop }: RelayOptions): Promise<RelayReport> {
  needTools(['nft', 'tc', 'bridge', 'taskset', 'iperf3']);
  await pinToCore();
  try {
    const round: RoundsOptions = { rounds, stop, ms: quick ? 10 : 250 };
    const all = contenders();
    const there = all.filter(({ missing }) => missing === null);
    const frames: Record<number, Costs> = {};
    {
      await using undo = new AsyncDisposableStack();
      const generator = await generatorPath(undo);
      const paths: Path[] = [];
      for (const contender of there) {
        stop.throwIfAborted();
        note(`sets up and checks: ${contender.name}`);
        paths.push(await pathThrough(contender, undo));
      }
      for (const size of sizes) {
        const sent = [frame(vm(0), vm(1), size)];
        const trials = paths.map((path) => ({ path, frames: sent }));
        frames[size] = await costs(`${size} octets`, generator, trials, round);
      }
    }
    const streams = await tcp(
      [names.bridge, names.hairpin(1)].map((name) => there.find((it) => it.name === name)!),
      { ...round, ms: quick ? 1 : 2000 },
    );
    const underRate = await policed({ ...round, ms: quick ? 1 : 4000 });
    note('the program stage by stage');
    const byStage = await stages(quick ? 10_000 : 1_000_000);
    const scaled = await scale([10, quick ? 1000 : 10_000], round);
    return {
      ...(await conditions(['nftables', 'iproute2', 'openvswitch-switch', 'iperf3'])),
      core,
      rounds,
      missing: { ...Object.fromEntries(missing(all)), ...underRate.missing },
      frames,
      tcp: streams.runs,
      policed: underRate.runs,
      stages: byStage,
      scale: scaled,
      ratios: {
        ...frameRatios(frames[64]!.paths, 'peer'),
        tcpVsBridge: streams.ratio,
        vsis10000vs10: scaled.ratio,
      },
      ratiosPortEgress: frameRatios(frames[64]!.paths, 'egress'),
    };
  } finally {
    await removeBeds();
  }
}

function missing(all: readonly Contender[]): [string, string][] {
  return all.flatMap(({ name, missing }) => (missing === null ? [] : [[name, missing] as [string, string]]));
}

/** How often cheaper the relay is than each peer with as many rules; `rules1000vs1`: its own cost over its own cost. */
function frameRatios(paths: readonly Cost[], delivery: Delivery): Record<string, number | null> {
  const of = (name: string) => paths.find((path) => path.name === name)?.ns;
  const own = (rules: number) => of(names.hairpin(rules, delivery));
  const [, some, most] = ruleCounts;
  return {
    vsBridge: times(of(names.bridge), own(0)),
    vsBridgeNft100: times(of(names.nft('list', some)), own(some)),
    vsBridgeNft1000: times(of(names.nft('list', most)), own(most)),
    vsNftSets1000: times(of(names.nft('sets', most)), own(most)),
    vsOvs: times(of(names.openVswitch), own(some)),
    rules1000vs1: times(own(most), own(1)),
  };
}
