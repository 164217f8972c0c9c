import { callLocal } from '../../local/socket-client.ts';
import { bridgeConfig, controlPath } from '../../bridge/config/config.ts';
import type { RuleCounts } from '../../bridge/control/rule-counts.ts';
import { dropReasons, type DropReason } from '../../domain/drop-reason.ts';
import { dropCounts, dropCountsText, explanationText, followDrops, onlyVsi } from './drops.ts';
import { rulesText } from './rules.ts';
import { askBridge, bridgeText } from './show.ts';
import { readConfig } from '../config-file.ts';
import { Failure } from '../../base/failure.ts';
import { print } from '../output.ts';
import { ask, type Server } from '../server.ts';

export interface AskOptions {
  config: string;
  json?: boolean;
}

export interface ShowOptions extends AskOptions {
  port?: string;
}

export async function show({ config, port, json }: ShowOptions): Promise<void> {
  const bridge = await ask(agentOf(config), (socket) => askBridge(socket, port));
  print(bridge, json, () => bridgeText(bridge));
}

export async function rules(vsi: string, { config, json }: AskOptions): Promise<void> {
  const lists = await ask(
    agentOf(config),
    (socket) => callLocal(socket, 'rules', { vsi }) as Promise<RuleCounts[]>,
  );
  print(lists, json, () => rulesText(lists));
}

export async function order(
  name: 'unpin' | 'forget',
  port: string,
  { config, json }: AskOptions,
): Promise<void> {
  const done = await ask(agentOf(config), (socket) => callLocal(socket, name, { port }));
  print(done, json, () => 'done');
}

export interface DropsOptions extends AskOptions {
  port?: string;
  vsi?: string;
  reason?: DropReason;
  follow?: boolean;
  count?: number;
  explain?: string | true;
}

export async function drops(options: DropsOptions): Promise<void> {
  const { config, explain, follow, count, json, reason, port, vsi } = options;
  if (explain !== undefined) {
    console.log(explanationText(reasonOf(explain)));
    return;
  }
  if (count !== undefined && !follow) throw new Failure('--count: goes with --follow', 2);
  if (follow) {
    const until = { json, count: count ?? Infinity };
    await ask(agentOf(config), (socket) => followDrops(socket, { port, vsi, reason }, until));
    return;
  }
  const bridge = await ask(agentOf(config), (socket) => askBridge(socket, port));
  const counts = dropCounts(vsi === undefined ? bridge : onlyVsi(bridge, vsi), reason);
  print(counts, json, () => dropCountsText(counts));
}

/** Who answers: the agent that has this configuration file. */
function agentOf(config: string): Server {
  return {
    socket: controlPath(readConfig(config, bridgeConfig)),
    absent: 'the bridge agent does not run',
    start: `hairpin bridge --config ${config}`,
  };
}

/** @throws Failure for one that there is not */
function reasonOf(explained: string | true): DropReason | undefined {
  const reason = dropReasons.find((each) => each === explained);
  if (reason === undefined && explained !== true)
    throw new Failure(`--explain: "${explained}" is no reason; ${dropReasons.join(', ')} are`, 2);
  return reason;
}
