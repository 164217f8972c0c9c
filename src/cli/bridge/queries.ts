import { Command, Option } from 'commander';
import { callLocal } from '../../local/socket-client.ts';
import { bridgeConfig, controlPath } from '../../bridge/config/config.ts';
import type { RuleCounts } from '../../bridge/control/rule-counts.ts';
import { dropReasons, type DropReason } from '../../relay/contract/relay.ts';
import { positive } from '../arguments.ts';
import { dropCounts, dropCountsText, explanationText, followDrops, onlyVsi } from './drops.ts';
import { rulesText } from './rules.ts';
import { askBridge, bridgeText } from './show.ts';
import { readConfig } from '../config-file.ts';
import { Failure } from '../failure.ts';
import { print } from '../output.ts';
import { ask, type Server } from '../server.ts';

/** What a running bridge agent can be asked: `hairpin bridge show|rules|drops|unpin|forget`. */
export function addBridgeQueries(command: Command): void {
  command
    .command('show')
    .description('what a running bridge agent sees: ports, neighbours, EVB, VSIs, timers and counters')
    .option('--port <name>', 'only this port')
    .option('--json', 'print JSON')
    .action(async (_, show: Command) => {
      const { config, port, json } = show.optsWithGlobals<{
        config: string;
        port?: string;
        json?: boolean;
      }>();
      const bridge = await ask(agentOf(config), (socket) => askBridge(socket, port));
      print(bridge, json, () => bridgeText(bridge));
    });
  command
    .command('rules')
    .description("a VSI's access list, and how many frames each rule has decided")
    .argument('<vsi>', "its VSIID, or the VM's name")
    .option('--json', 'print JSON')
    .action(async (vsi: string, _, rules: Command) => {
      const { config, json } = rules.optsWithGlobals<{ config: string; json?: boolean }>();
      const lists = await ask(
        agentOf(config),
        (socket) => callLocal(socket, 'rules', { vsi }) as Promise<RuleCounts[]>,
      );
      print(lists, json, () => rulesText(lists));
    });
  command.addCommand(
    orderCommand('unpin', 'believe a station without a signature again, at a port where one was verified'),
  );
  command.addCommand(
    orderCommand('forget', 'let the next station have a port at once, with the VSIs that are held there'),
  );
  command.addCommand(dropsCommand());
  // they are asked of the agent that --config is of
  for (const query of command.commands) query.configureHelp({ showGlobalOptions: true });
}

/** Who answers: the agent that has this configuration file. */
function agentOf(config: string): Server {
  return {
    socket: controlPath(readConfig(config, bridgeConfig)),
    absent: 'the bridge agent does not run',
    start: `hairpin bridge --config ${config}`,
  };
}

/** What the administrator says about the station at a port. */
function orderCommand(name: 'unpin' | 'forget', description: string): Command {
  return new Command(name)
    .description(description)
    .argument('<port>', 'a station port')
    .option('--json', 'print JSON')
    .action(async (port: string, _, order: Command) => {
      const { config, json } = order.optsWithGlobals<{ config: string; json?: boolean }>();
      const done = await ask(agentOf(config), (socket) => callLocal(socket, name, { port }));
      print(done, json, () => 'done');
    });
}

interface DropsOptions {
  config: string;
  port?: string;
  vsi?: string;
  reason?: DropReason;
  follow?: boolean;
  count?: number;
  explain?: string | true;
  json?: boolean;
}

function dropsCommand(): Command {
  return new Command('drops')
    .description('why does my VM not talk? What was dropped by reason, or each dropped frame as it comes')
    .option('--port <name>', 'only what came in by this port')
    .option('--vsi <vsi>', "only this VSI's: its VSIID, or the VM's name")
    .addOption(new Option('--reason <reason>', 'only for this reason').choices(dropReasons))
    .option('--follow', 'a line for each frame (a sample where there are too many), until Ctrl-C')
    .option('--count <n>', 'with --follow: end after so many', positive(9999))
    .addOption(
      new Option('--explain [reason]', 'what a reason means, and what to look at; without one, all of them'),
    )
    .option('--json', 'print JSON, with --follow an object in each line')
    .action(async (_, drops: Command) => {
      const { config, explain, follow, count, json, reason, ...which } =
        drops.optsWithGlobals<DropsOptions>();
      if (explain !== undefined) {
        console.log(explanationText(reasonOf(explain)));
        return;
      }
      if (count !== undefined && !follow) throw new Failure('--count: goes with --follow', 2);
      const { port, vsi } = which;
      if (follow) {
        const options = { json, count: count ?? Infinity };
        await ask(agentOf(config), (socket) => followDrops(socket, { port, vsi, reason }, options));
        return;
      }
      const bridge = await ask(agentOf(config), (socket) => askBridge(socket, port));
      const counts = dropCounts(vsi === undefined ? bridge : onlyVsi(bridge, vsi), reason);
      print(counts, json, () => dropCountsText(counts));
    });
}

/** @throws Failure for one that there is not */
function reasonOf(explained: string | true): DropReason | undefined {
  const reason = dropReasons.find((each) => each === explained);
  if (reason === undefined && explained !== true)
    throw new Failure(`--explain: "${explained}" is no reason; ${dropReasons.join(', ')} are`, 2);
  return reason;
}
