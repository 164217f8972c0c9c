import { Command } from 'commander';
import { callLocal } from '../local/socket-client.ts';
import { stationConfig } from '../station/config.ts';
import type { VmFilterStatus } from '../station/vm-filter.ts';
import { readConfig } from './config-file.ts';
import { Failure } from './failure.ts';
import { print, table } from './output.ts';
import { needRoot } from './root.ts';
import { ask } from './server.ts';

interface FilterOptions {
  readonly config: string;
  readonly remove?: boolean;
  readonly json?: boolean;
}

/** `hairpin station filter`: where VMs' control frames are dropped, and an end to it. */
export function stationFilterCommand(): Command {
  return new Command('filter')
    .description("where the station drops VMs' control frames, and how many it has dropped")
    .option('--remove', 'take the filter off, which stays when the agent ends; not while the agent runs')
    .option('--json', 'print JSON')
    .configureHelp({ showGlobalOptions: true })
    .action(async (_, command: Command) => {
      const { config, remove, json } = command.optsWithGlobals<FilterOptions>();
      const { uplink, control } = readConfig(config, stationConfig);
      if (remove) {
        const removed = await removeFrom(uplink);
        print({ removed }, json, () =>
          removed.length ? `taken off ${removed.join(', ')}` : 'there was none',
        );
        return;
      }
      const station = {
        socket: control,
        absent: 'the station agent does not run',
        start: `hairpin station --config ${config}`,
      };
      const status = await ask(station, (socket) => callLocal(socket, 'filter') as Promise<VmFilterStatus>);
      print(status, json, () => filterText(status, uplink));
    });
}

async function removeFrom(uplink: string): Promise<readonly string[]> {
  needRoot("the VMs' filter is the kernel's");
  const { isLocked } = await import('../station/uplink-lock.ts');
  if (await isLocked(uplink))
    throw new Failure(
      `uplink ${uplink}: its station agent runs, and would set the filter again; end it first`,
    );
  const { removeVmFilter } = await import('../station/vm-filter.ts');
  return removeVmFilter(uplink);
}

function filterText({ interfaces, uplink, problem }: VmFilterStatus, of: string): string {
  const rows = interfaces.map(({ name, kind, namespace, dropped }) => [
    name,
    kind,
    namespace ?? '-',
    dropped.fromVm,
    dropped.toVm,
  ]);
  return [
    ...(problem === null ? [] : [`not everywhere: ${problem}`]),
    uplink
      ? `uplink ${uplink.name}: ${uplink.dropped} control frames dropped that were not the host's`
      : `uplink ${of}: no filter`,
    interfaces.length
      ? table(['INTERFACE', 'KIND', 'NAMESPACE', 'DROPPED FROM VM', 'TO VM'], rows)
      : 'no VM has an interface there',
  ].join('\n\n');
}
