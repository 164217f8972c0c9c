import { parseUnicastMac } from '../domain/mac-address.ts';
import { callLocal } from '../local/socket-client.ts';
import type { Outcome } from '../station/asking.ts';
import { stationConfig } from '../station/config.ts';
import type { VmFilterStatus } from '../station/vm-filter.ts';
import { readConfig } from './config-file.ts';
import { Failure } from '../base/failure.ts';
import { print, table } from './output.ts';
import { needRoot } from './root.ts';
import { ask, type Server } from './server.ts';

export interface Announced {
  readonly control: string;
  readonly mac: readonly string[];
  readonly json: boolean | undefined;
}

export async function announce(event: string, vm: string, { control, mac, json }: Announced): Promise<void> {
  const macs = mac.map(parseUnicastMac);
  const station = {
    socket: control,
    absent: 'no station agent runs there',
    start: 'hairpin station --config FILE',
  };
  const outcome = await ask(
    station,
    (socket) => callLocal(socket, 'announce', { event, vm, macs }) as Promise<Outcome>,
  );
  print(outcome, json, () => (outcome.granted ? 'granted' : `refused: ${outcome.reason}`));
  if (!outcome.granted) process.exitCode = 1;
}

export interface AskOptions {
  readonly config: string;
  readonly json?: boolean;
}

export async function unpin({ config, json }: AskOptions): Promise<void> {
  const { control } = readConfig(config, stationConfig);
  const done = await ask(stationAt(control, config), (socket) => callLocal(socket, 'unpin'));
  print(done, json, () => 'done');
}

export interface FilterOptions extends AskOptions {
  readonly remove?: boolean;
}

/** Where VMs' control frames are dropped, and an end to it. */
export async function filter({ config, remove, json }: FilterOptions): Promise<void> {
  const { uplink, control } = readConfig(config, stationConfig);
  if (remove) {
    const removed = await removeFrom(uplink);
    print({ removed }, json, () => (removed.length ? `taken off ${removed.join(', ')}` : 'there was none'));
    return;
  }
  const status = await ask(
    stationAt(control, config),
    (socket) => callLocal(socket, 'filter') as Promise<VmFilterStatus>,
  );
  print(status, json, () => filterText(status, uplink));
}

function stationAt(control: string, config: string): Server {
  return {
    socket: control,
    absent: 'the station agent does not run',
    start: `hairpin station --config ${config}`,
  };
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
