import { z } from 'zod';
import type { ApiError } from '../client/api-error.ts';
import type { ApiClient } from '../client/client.ts';
import {
  collections,
  writeSchemas,
  type CollectionName,
  type Objects,
  type WritableName,
} from '../api/collections.ts';
import { explainIssues } from '../forms/explain.ts';
import type { VsiStatus } from '../domain/vsi.ts';
import { profileKey } from '../domain/profile-ref.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import { Failure } from '../base/failure.ts';
import { withClient, type ManagerOptions } from './manager-client.ts';
import { vmNames, vsiNamed } from './vsi-names.ts';
import { print, say, table, tenantHeading } from './output.ts';

/** The collections that have commands of this form. */
export type ShownName = 'tenants' | 'profiles' | 'vsis' | 'migrations';
export type WrittenName = ShownName & WritableName;

export interface ObjectOptions extends ManagerOptions {
  json?: boolean;
}

export interface RemovalOptions extends ManagerOptions {
  yes?: true;
}

/** How the objects of one collection are listed and found. */
interface Noun<Name extends CollectionName> {
  readonly word: string;
  readonly heading: readonly string[];
  readonly row: (object: Objects[Name], vms: ReadonlyMap<VsiId, string>) => readonly (string | number)[];
  /** the row names VMs of other objects */
  readonly namesVms?: true;
  /** the key of the object that a text stands for, where more than its key does */
  readonly find?: (api: ApiClient, text: string) => Promise<string>;
  /** @throws Failure where it may not simply be removed */
  readonly beforeRemoval?: (api: ApiClient, key: string) => Promise<void>;
}

const tenant: Noun<'tenants'> = {
  word: 'tenant',
  heading: tenantHeading,
  row: ({ name, rate, guaranteed }) => [
    name,
    rate['from-vm']?.max ?? '-',
    rate['to-vm']?.max ?? '-',
    guaranteed ?? '-',
  ],
};

const profile: Noun<'profiles'> = {
  word: 'profile',
  heading: [
    'PROFILE',
    'NAME',
    'TENANT',
    'VLAN',
    'FROM VM bit/s',
    'TO VM bit/s',
    'STORM',
    'RULES',
    'MARKS',
    'GUARDS',
    'MIRROR',
  ],
  row: ({ ref, name, tenant, vlan, trunk, rate, storm, accessList, marking, guards, mirror }) => [
    profileKey(ref),
    name,
    tenant,
    [vlan, ...trunk].join(','),
    rate['from-vm']?.max ?? '-',
    rate['to-vm']?.max ?? '-',
    words(Object.keys(storm)),
    accessList.rules.length,
    words([
      ...(marking.dscp === 'trust' ? [] : [`dscp ${marking.dscp}`]),
      ...(marking.pcp === 'trust' ? [] : [`pcp ${marking.pcp}`]),
    ]),
    words(guardNames.flatMap(([guard, name]) => (guards[guard] ? [name] : []))),
    mirror?.session ?? '-',
  ],
};

const guardNames = [
  ['address', 'address'],
  ['dhcpServer', 'dhcp'],
  ['routerAdvertisement', 'ra'],
  ['control', 'control'],
] as const;

function words(list: readonly string[]): string {
  return list.join(' ') || '-';
}

const vsi: Noun<'vsis'> = {
  word: 'vsi',
  heading: ['VSI', 'VM', 'TENANT', 'MAC', 'IP', 'PROFILE', 'ASSOCIATION', 'AT'],
  row: ({ vsiId, name, tenant, macs, ips = [], profile, status }) => [
    vsiId,
    name,
    tenant,
    macs.join(' '),
    words(ips),
    profile,
    `${status?.association ?? 'none'}${status?.held === undefined ? '' : ', held'}`,
    status ? placeOf(status) : '-',
  ],
  find: async (api, text) => {
    const found = await vsiNamed(api, text);
    if (!found) throw new Failure(`there is no vsi ${text}; a VSIID or the name of a VM would be right`);
    return found.vsiId;
  },
  beforeRemoval: async (api, key) => {
    const found = await api.get('vsis', key);
    const { name, status } = found?.value ?? {};
    if (!status) return;
    const { confirm } = await import('./question.ts');
    await confirm(
      `VM ${name} (${key}) is ${status.association} at ${placeOf(status)}, and would be cut off`,
      'with --yes it is removed all the same',
    );
  },
};

function placeOf({ bridge, port, station }: VsiStatus): string {
  return `${bridge} ${port} (${station ?? 'unnamed'})`;
}

const migration: Noun<'migrations'> = {
  word: 'migration',
  heading: ['ID', 'VSI', 'VM', 'STRATEGY', 'STATE', 'FROM', 'TO', 'STOP ms', 'DROPPED', 'CLOCKS'],
  namesVms: true,
  row: ({ id, vsiId, strategy, state, source, destination, times, counts, clocks = {} }, vms) => [
    id,
    vsiId,
    vms.get(vsiId) ?? '-',
    strategy,
    state,
    source?.port ?? '-',
    destination?.port ?? '-',
    times.stop && times.resume ? ((times.resume - times.stop) / 1000).toFixed(1) : '-',
    [counts.source, counts.destination]
      .flatMap((count) => Object.values(count?.dropped ?? {}))
      .reduce((sum, frames) => sum + frames, 0),
    words([
      ...new Set(
        Object.values(clocks).map(({ by, offset }) => `${by} ${offset < 0 ? '' : '+'}${seconds(offset)} s`),
      ),
    ]),
  ],
};

function seconds(microseconds: number): string {
  return (microseconds / 1e6).toFixed(3);
}

const nouns: { readonly [Name in ShownName]: Noun<Name> } = {
  tenants: tenant,
  profiles: profile,
  vsis: vsi,
  migrations: migration,
};

export function list(collection: ShownName, options: ObjectOptions): Promise<void> {
  const { heading, row, namesVms } = nouns[collection];
  return withClient(options, async (api) => {
    const { items } = await api.list(collection);
    const values = items.map(({ value }) => value);
    const vms = namesVms ? await vmNames(api) : new Map<VsiId, string>();
    const rows = values.map((value) => row(value as never, vms)); // a row is of the same collection
    print(
      values.map((value) => form(collection, value)),
      options.json,
      () => table(heading, rows),
    );
  });
}

export function get(collection: ShownName, text: string, options: ObjectOptions): Promise<void> {
  const { word, find } = nouns[collection];
  return withClient(options, async (api) => {
    const key = (await find?.(api, text)) ?? collections[collection].parseKey(text);
    const found = await api.get(collection, key);
    if (!found) throw new Failure(`there is no ${word} ${text}`);
    const written = form(collection, found.value);
    print(written, options.json, () => JSON.stringify(written, null, 2));
  });
}

/** What the API would send: the forms people write, not the values inside. */
function form(collection: ShownName, value: unknown): unknown {
  return z.encode<z.ZodType>(collections[collection].schema, value);
}

export function put(collection: WrittenName, file: string, options: ObjectOptions): Promise<void> {
  return withClient(options, async (api) => {
    const { readYaml } = await import('./config-file.ts');
    const input = readYaml(file);
    const parsed = writeSchemas[collection].safeParse(input);
    if (!parsed.success) throw new Failure(explainIssues(file, parsed.error, input).join('\n'), 2);
    try {
      await api.put(collection, parsed.data);
    } catch (error) {
      // the manager knows the key, and not the file
      const { field, message } = error as ApiError;
      throw field === undefined ? error : new Failure(`${file}: ${message}`);
    }
    say(`${nouns[collection].word} ${collections[collection].keyOf(parsed.data as never)} is set`);
  });
}

export function remove(collection: WrittenName, text: string, options: RemovalOptions): Promise<void> {
  const { word, find, beforeRemoval } = nouns[collection];
  return withClient(options, async (api) => {
    const key = (await find?.(api, text)) ?? collections[collection].parseKey(text);
    if (!options.yes) await beforeRemoval?.(api, key);
    await api.delete(collection, key);
    say(`${word} ${text} is removed`);
  });
}
