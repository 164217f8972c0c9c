import { parseMac, type MacAddress } from '../../domain/mac-address.ts';
import { QmpError, type QmpClient } from './qmp-client.ts';
import { isObject } from './qmp-message.ts';

/** where QEMU keeps the devices its command line and its user added, with and without an id */
const containers = ['/machine/peripheral', '/machine/peripheral-anon'];

/**
 * The MAC addresses the VM's NICs were configured with. From the device's own property where there is one: the
 * receive filter's "main-mac" is what the guest has set last, and a guest may set its neighbour's.
 * @throws QmpError when the monitor ends or does not answer
 */
export async function nicAddresses(qmp: QmpClient): Promise<MacAddress[]> {
  const macs = new Set<MacAddress>();
  for (const container of containers)
    for (const name of await children(qmp, container)) {
      const mac = asMac(await attempt(qmp, 'qom-get', { path: `${container}/${name}`, property: 'mac' }));
      if (mac) macs.add(mac);
    }
  if (macs.size === 0)
    for (const filter of asList(await attempt(qmp, 'query-rx-filter'))) {
      const mac = asMac(filter['main-mac']);
      if (mac) macs.add(mac);
    }
  return [...macs];
}

/** The names of all devices that were added, NICs or not: another name, another look at the addresses. */
export async function deviceNames(qmp: QmpClient): Promise<string> {
  const names: string[] = [];
  for (const container of containers) names.push(...(await children(qmp, container)));
  return names.join();
}

/** QEMU tells once that a receive filter has changed, and not again until somebody has looked at it. */
export async function rearmNicEvents(qmp: QmpClient): Promise<void> {
  await attempt(qmp, 'query-rx-filter');
}

async function children(qmp: QmpClient, path: string): Promise<string[]> {
  const entries = asList(await attempt(qmp, 'qom-list', { path }));
  return entries.flatMap(({ name, type }) =>
    typeof name === 'string' && typeof type === 'string' && type.startsWith('child<') ? [name] : [],
  );
}

/** A command's result, or null where QEMU refuses it: a machine without devices, a device without an address. */
async function attempt(qmp: QmpClient, command: string, args?: Record<string, unknown>): Promise<unknown> {
  try {
    return await qmp.execute(command, args);
  } catch (error) {
    if (error instanceof QmpError && error.kind === 'refusal') return null;
    throw error;
  }
}

function asList(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function asMac(value: unknown): MacAddress | null {
  if (typeof value !== 'string') return null;
  try {
    return parseMac(value);
  } catch {
    return null;
  }
}
