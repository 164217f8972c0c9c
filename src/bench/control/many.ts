import type { DialectName } from '../../domain/dialect.ts';
import { unheard, type NetlinkVsi } from '../peers/lldpad-netlink.ts';
import { note, round } from '../report.ts';
import { Bed, until } from './bed.ts';
import { benchVsi } from './bridge.ts';

export interface Many {
  readonly ms: number;
  /** VSIs for which lldpad never took an answer in */
  readonly lost: number;
}

/** lldpad itself gives up after 15.8 s. */
const givenUpMs = 17_000;

/**
 * `count` VSIs with lldpad as the station, driven as libvirt drives it: in sequence, each associated, its answer
 * waited for at lldpad, and de-associated; then as many associated at once, until the bridge holds them all.
 */
export async function measureMany(
  count: number,
  dialect: DialectName,
  stop: AbortSignal,
): Promise<{ sequential: Many; burst: Many }> {
  await using bed = await Bed.make(['eth0'], 2 * count);
  const { by } = await bed.startStation(dialect, ['eth0']);
  const netlink = by.eth0;
  // VSIs of their own each: lldpad lets go of the last of a sequence in its own time
  const [oneByOne, atOnce] = [0, count].map((before) =>
    Array.from({ length: count }, (_, i) => benchVsi(before + i + 1)),
  ) as [NetlinkVsi[], NetlinkVsi[]];
  // what is busy with the request before takes a new one later
  const ask = (mode: 'associate' | 'de-associate', vsi: NetlinkVsi) =>
    until(stop, () => netlink.request(mode, vsi) === 0, givenUpMs);

  let lost = 0;
  const began = performance.now();
  for (const vsi of oneByOne) {
    const heard =
      (await ask('associate', vsi)) &&
      (await until(stop, () => netlink.responses().get(vsi.vsiId) === 0, givenUpMs));
    if (!heard) lost++;
    await ask('de-associate', vsi);
  }
  const sequential = { ms: round(performance.now() - began, 0), lost };
  note(`${dialect}: ${count} in sequence in ${sequential.ms} ms, ${lost} lost`);
  await until(stop, async () => (await bed.held()) === 0, givenUpMs, 50);

  const burstBegan = performance.now();
  for (const vsi of atOnce) await ask('associate', vsi);
  await until(stop, async () => (await bed.held()) === count, givenUpMs, 10);
  const ms = round(performance.now() - burstBegan, 0);
  const burst = { ms, lost: (await unheard(netlink, atOnce, givenUpMs)).length };
  note(`${dialect}: ${count} at once in ${burst.ms} ms, ${burst.lost} lost`);
  return { sequential, burst };
}
