import { followLocal } from '../../local/socket-client.ts';
import type { DropFilter, Lost, ShownDrop } from '../../bridge/control/drop-watch.ts';
import { explanations } from './drop-reasons.ts';
import type { Dropped, ShownBridge } from '../../bridge/control/show.ts';
import { dropReasons, type DropReason } from '../../domain/drop-reason.ts';
import { idIn } from '../../bridge/control/vm-names.ts';
import { Failure } from '../../base/failure.ts';
import { say, table } from '../output.ts';

/** What was dropped, by reason: at each port, and of each VSI at each of its ports. */
export interface DropCounts {
  readonly ports: readonly { readonly name: string; readonly dropped: Dropped }[];
  readonly vsis: readonly {
    readonly vsiId: string;
    readonly vm: string | null;
    readonly port: string;
    readonly dropped: Dropped;
  }[];
}

export function dropCounts({ ports, vsis }: ShownBridge, reason: DropReason | undefined): DropCounts {
  const only = (dropped: Dropped): Dropped =>
    Object.fromEntries(Object.entries(dropped).filter(([each]) => (reason ?? each) === each));
  return {
    ports: ports.map(({ name, frames }) => ({ name, dropped: only(frames.dropped) })),
    vsis: vsis.flatMap(({ vsiId, vm, places }) =>
      places.map(({ port, dropped }) => ({ vsiId, vm, port, dropped: only(dropped) })),
    ),
  };
}

/** @throws Failure if the VSI is not there */
export function onlyVsi(bridge: ShownBridge, text: string): ShownBridge {
  const vsiId = idIn(text);
  const vsis = bridge.vsis.filter((vsi) => (vsiId === null ? vsi.vm === text : vsi.vsiId === vsiId));
  if (!vsis.length)
    throw new Failure(
      `no VSI "${text}" is there; what nobody has associated is dropped as "unassociated", and --follow shows it`,
      2,
    );
  return { ...bridge, ports: [], vsis };
}

export function dropCountsText({ ports, vsis }: DropCounts): string {
  const rows = (start: readonly string[], dropped: Dropped) =>
    Object.entries(dropped).map(([reason, frames]) => [
      ...start,
      frames,
      reason,
      explanations[reason as DropReason].words,
    ]);
  const ofPorts = ports.flatMap(({ name, dropped }) => rows([name], dropped));
  const ofVsis = vsis.flatMap(({ vsiId, vm, port, dropped }) => rows([vsiId, vm ?? '-', port], dropped));
  const tables = [
    ...(ofPorts.length ? [table(['PORT', 'FRAMES', 'REASON', ''], ofPorts)] : []),
    ...(ofVsis.length ? [table(['VSI', 'VM', 'PORT', 'FRAMES', 'REASON', ''], ofVsis)] : []),
  ];
  return tables.join('\n\n') || 'nothing was dropped';
}

/** Why frames are dropped for this reason, or for each that there is, and what to do about it. */
export function explanationText(reason: DropReason | undefined): string {
  return (reason ? [reason] : dropReasons)
    .map((each) => `${each}: ${explanations[each].why}\n  ${explanations[each].hint}`)
    .join('\n');
}

export interface FollowOptions {
  readonly json: boolean | undefined;
  /** end after so many samples */
  readonly count: number;
}

/** Prints samples of dropped frames as they come, until there are enough, Ctrl-C, or the agent ends. */
export async function followDrops(socket: string, filter: DropFilter, { json, count }: FollowOptions) {
  const stop = new AbortController();
  const end = () => stop.abort();
  process.once('SIGINT', end).once('SIGTERM', end);
  process.stdout.once('error', end); // whoever read it is gone
  let left = count;
  for await (const line of followLocal(socket, 'drops', filter, stop.signal)) {
    const drop = line as ShownDrop | Lost;
    say(json ? JSON.stringify(drop) : dropText(drop));
    if (!('lost' in drop) && --left === 0) stop.abort();
    if (stop.signal.aborted) return;
  }
  if (!stop.signal.aborted) throw new Failure('the bridge agent has ended');
}

export function dropText(drop: ShownDrop | Lost): string {
  if ('lost' in drop) return `(${drop.lost} more that were too many at once)`;
  const { at, port, vsi, vm, reason, vid, octets, summary } = drop;
  const time = new Date(at / 1000).toISOString().slice(11, 23);
  const tag = vid ? ` vid ${vid},` : '';
  return `${time} ${port} ${vm ?? vsi ?? '-'} ${reason} (${explanations[reason].words}):${tag} ${summary}, ${octets} octets`;
}
