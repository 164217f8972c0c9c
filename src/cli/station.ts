import { Argument, Command } from 'commander';
import { hypervisorEventKinds } from '../hypervisors/event.ts';
import type { AskOptions, FilterOptions } from './station-actions.ts';

interface AnnounceOptions {
  readonly control?: string;
  readonly mac?: string[];
  readonly json?: boolean;
}

/** What a running station agent can be told and asked: `hairpin station announce|filter|unpin`. */
export function addStationCommands(command: Command): void {
  command
    .command('announce')
    .description('tell the station of a VM, from a toolstack that it cannot watch; waits for the bridge')
    .addArgument(new Argument('<event>').choices(hypervisorEventKinds))
    .argument('<vm>', "the VM's name")
    .option('--control <path>', "the station's control socket (required)")
    .option('--mac <address...>', "the addresses of the VM's NICs (required)")
    .option('--json', 'print JSON')
    .action(async (event: string, vm: string, { control, mac, json }: AnnounceOptions, announce: Command) => {
      // not by commander, which would ask for them before it looks at the event
      if (control === undefined || mac === undefined)
        return announce.error(
          `error: required option '${control === undefined ? '--control <path>' : '--mac <address...>'}' not specified`,
        );
      await (await actions()).announce(event, vm, { control, mac, json });
    });
  command
    .command('filter')
    .description("where the station drops VMs' control frames, and how many it has dropped")
    .option('--remove', 'take the filter off, which stays when the agent ends; not while the agent runs')
    .option('--json', 'print JSON')
    .configureHelp({ showGlobalOptions: true })
    .action(async (_, filter: Command) => (await actions()).filter(filter.optsWithGlobals<FilterOptions>()));
  command
    .command('unpin')
    .description('believe a bridge without a signature again, although one was verified')
    .option('--json', 'print JSON')
    .configureHelp({ showGlobalOptions: true })
    .action(async (_, unpin: Command) => (await actions()).unpin(unpin.optsWithGlobals<AskOptions>()));
}

function actions() {
  return import('./station-actions.ts');
}
