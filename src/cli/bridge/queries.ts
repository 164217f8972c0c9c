import { Command, Option } from 'commander';
import { dropReasons } from '../../domain/drop-reason.ts';
import { positive } from '../arguments.ts';
import type { AskOptions, DropsOptions, ShowOptions } from './query-actions.ts';

/** What a running bridge agent can be asked: `hairpin bridge show|rules|drops|unpin|forget`. */
export function addBridgeQueries(command: Command): void {
  command
    .command('show')
    .description('what a running bridge agent sees: ports, neighbours, EVB, VSIs, timers and counters')
    .option('--port <name>', 'only this port')
    .option('--json', 'print JSON')
    .action(async (_, show: Command) => (await actions()).show(show.optsWithGlobals<ShowOptions>()));
  command
    .command('rules')
    .description("a VSI's access list, and how many frames each rule has decided")
    .argument('<vsi>', "its VSIID, or the VM's name")
    .option('--json', 'print JSON')
    .action(async (vsi: string, _, rules: Command) =>
      (await actions()).rules(vsi, rules.optsWithGlobals<AskOptions>()),
    );
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

function actions() {
  return import('./query-actions.ts');
}

/** What the administrator says about the station at a port. */
function orderCommand(name: 'unpin' | 'forget', description: string): Command {
  return new Command(name)
    .description(description)
    .argument('<port>', 'a station port')
    .option('--json', 'print JSON')
    .action(async (port: string, _, command: Command) =>
      (await actions()).order(name, port, command.optsWithGlobals<AskOptions>()),
    );
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
    .action(async (_, drops: Command) => (await actions()).drops(drops.optsWithGlobals<DropsOptions>()));
}
