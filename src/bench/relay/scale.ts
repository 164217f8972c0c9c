import { readdirSync, readFileSync } from 'node:fs';
import { makeBed, port, uplink } from '../bed.ts';
import { costs, times, type RoundsOptions } from '../interleave.ts';
import { Path } from '../path.ts';
import { Hairpin, stateOf, stationPort, vsisAt } from '../peers/hairpin.ts';
import { policy, rate } from '../policy.ts';
import { note, round } from '../report.ts';
import { frame, vm } from '../vms.ts';
import { generatorPath } from './contenders.ts';

/** A bridge with so many VSIs, all behind one port, and frames between all of them. */
export interface Size {
  readonly vsis: number;
  /** CPU time of a frame, that of the generator not included */
  readonly ns: number;
  /** from the state's being told to the kernel's holding it */
  readonly programMs: number;
  /** of the kernel, for the maps */
  readonly mapMiB: number;
  /** of the agent's process, for the state and the driver's own tables */
  readonly driverMiB: number;
}

export interface Scale {
  readonly sizes: readonly Size[];
  /** what a frame costs with the most VSIs, over what it costs with the fewest */
  readonly ratio: number | null;
}

/** As many frames whatever the size, so that the generator's own memory is the same. */
const frameCount = 10_240;
const profiles = 100;
const rules = 10;

export async function scale(sizes: readonly number[], options: RoundsOptions): Promise<Scale> {
  await using undo = new AsyncDisposableStack();
  const built = [];
  for (const vsis of sizes) {
    note(`scale: programs ${vsis} VSIs`);
    built.push({ ...(await build(vsis, undo)), frames: framesAmong(vsis) });
  }
  const { paths } = await costs('scale', await generatorPath(undo), built, options);
  const measured = built.map(({ vsis, programMs, mapMiB, driverMiB }, i) => ({
    vsis,
    ns: paths[i]!.ns,
    programMs,
    mapMiB,
    driverMiB,
  }));
  return { sizes: measured, ratio: times(measured.at(-1)?.ns, measured[0]?.ns) };
}

async function build(vsis: number, undo: AsyncDisposableStack) {
  const bed = await makeBed();
  const maps = mapMiB();
  const hairpin = undo.adopt(new Hairpin(bed.switch), (it) => it.stop());
  const rss = process.memoryUsage.rss();
  const policies = Array.from({ length: profiles }, (_, i) => ({
    ...policy(rules),
    rate: { 'from-vm': rate, 'to-vm': { ...rate, max: rate.max - 8000 * i } },
  }));
  const state = stateOf(
    new Map([[port, stationPort]]),
    vsisAt(port, vsis, (i) => policies[i % profiles]!),
  );
  const start = performance.now();
  hairpin.apply(state);
  const programMs = round(performance.now() - start, 1);
  const driverMiB = round((process.memoryUsage.rss() - rss) / 2 ** 20, 1);
  const end = { namespace: bed.host, link: uplink };
  const path = undo.adopt(new Path({ name: `hairpin, ${vsis} VSIs`, from: end, to: end }), (it) =>
    it.close(),
  );
  return { vsis, path, programMs, mapMiB: round(mapMiB() - maps, 1), driverMiB };
}

/** Each VM sends to another one, far from it in every table. */
function framesAmong(vsis: number): Uint8Array[] {
  return Array.from({ length: frameCount }, (_, i) => {
    const from = i % vsis;
    const to = (from + 1 + ((i * 7919) % (vsis - 1))) % vsis;
    return frame(vm(from), vm(to), 64);
  });
}

/** What the kernel holds for the eBPF maps that this process has open, each counted once. */
function mapMiB(): number {
  const byId = new Map<string, number>();
  for (const fd of readdirSync('/proc/self/fdinfo')) {
    const info = fdInfo(fd);
    const id = /^map_id:\s*(\d+)/m.exec(info)?.[1];
    const octets = /^memlock:\s*(\d+)/m.exec(info)?.[1];
    if (id && octets) byId.set(id, Number(octets));
  }
  return [...byId.values()].reduce((sum, octets) => sum + octets, 0) / 2 ** 20;
}

/** '' for the one that the listing itself was read by. */
function fdInfo(fd: string): string {
  try {
    return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
  } catch {
    return '';
  }
}
