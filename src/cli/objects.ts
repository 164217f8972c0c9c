import { Command } from 'commander';
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
import { readYaml } from './config-file.ts';
import { Failure } from './failure.ts';
import { withClient, withManager, type ManagerOptions } from './manager-client.ts';
import { confirm } from './question.ts';
import { vmNames, vsiNamed } from './vsi-names.ts';
import { print, say, table, tenantHeading } from './output.ts';

/** How the objects of one collection are called and listed. */
interface Noun<Name extends CollectionName> {
  readonly command: string;
  readonly description: string;
  readonly collection: Name;
  readonly heading: readonly string[];
  readonly row: (object: Objects[Name], vms: ReadonlyMap<VsiId, string>) => readonly (string | number)[];
  /** the row names VMs of other objects */
  readonly namesVms?: true;
  /** the key of the object that a text stands for, where more than its key does */
  readonly find?: (api: ApiClient, text: string) => Promise<string>;
  /** @throws Failure where it may not simply be removed */
  readonly beforeRemoval?: (api: ApiClient, key: string) => Promise<void>;
}

/** `hairpin tenant|profile|vsi|migration …`: clients of the manager's API. */
export function clientCommands(): Command[] {
  return [
    writable(tenant, 'tenants'),
    writable(profile, 'profiles'),
    writable(vsi, 'vsis'),
    readable(migration),
  ];
}

const tenant: Noun<'tenants'> = {
  command: 'tenant',
  description: 'who owns profiles and VSIs, and what all of them get on one bridge',
  collection: 'tenants',
  heading: tenantHeading,
  row: ({ name, rate, guaranteed }) => [
    name,
    rate['from-vm']?.max ?? '-',
    rate['to-vm']?.max ?? '-',
    guaranteed ?? '-',
  ],
};

const profile: Noun<'profiles'> = {
  command: 'profile',
  description: 'port profiles: VLANs, rates, access list, marking, guards, mirror',
  collection: 'profiles',
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
  command: 'vsi',
  description: 'VM NICs: what each is granted, and where it is',
  collection: 'vsis',
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
  command: 'migration',
  description: 'migrations and what was measured at the switch',
  collection: 'migrations',
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

interface ClientOptions extends ManagerOptions {
  json?: boolean;
}

function readable<Name extends CollectionName>({
  command,
  description,
  collection,
  heading,
  row,
  namesVms,
  find,
}: Noun<Name>) {
  const described = collections[collection];
  const noun = new Command(command).description(description);
  // what the API would send: the forms people write, not the values inside
  const form = (value: Objects[Name]) => z.encode<z.ZodType>(described.schema, value);
  withManager(noun.command('ls').description('list them'))
    .option('--json', 'print JSON')
    .action((options: ClientOptions) =>
      withClient(options, async (api) => {
        const { items } = await api.list(collection);
        const values = items.map(({ value }) => value);
        const vms = namesVms ? await vmNames(api) : new Map<VsiId, string>();
        const rows = values.map((value) => row(value, vms));
        print(values.map(form), options.json, () => table(heading, rows));
      }),
    );
  withManager(
    noun
      .command('get')
      .description('print one')
      .argument('<key>', find && "its VSIID, or the VM's name"),
  )
    .option('--json', 'print JSON')
    .action((key: string, options: ClientOptions) =>
      withClient(options, async (api) => {
        const found = await api.get(collection, (await find?.(api, key)) ?? described.parseKey(key));
        if (!found) throw new Failure(`there is no ${command} ${key}`);
        print(form(found.value), options.json, () => JSON.stringify(form(found.value), null, 2));
      }),
    );
  return noun;
}

function writable<Name extends WritableName>(noun: Noun<Name>, collection: Name): Command {
  const described = collections[collection];
  const command = readable(noun);
  withManager(
    command
      .command('put')
      .description('create or replace one, from a YAML or JSON file ("-": standard input)'),
  )
    .argument('<file>')
    .action((file: string, options: ClientOptions) =>
      withClient(options, async (api) => {
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
        say(`${noun.command} ${described.keyOf(parsed.data as never)} is set`);
      }),
    );
  const { find, beforeRemoval } = noun;
  const remove = withManager(command.command('rm').description('remove one'))
    .argument('<key>', find && "its VSIID, or the VM's name")
    .action((text: string, options: ClientOptions & { yes?: true }) =>
      withClient(options, async (api) => {
        const key = (await find?.(api, text)) ?? described.parseKey(text);
        if (!options.yes) await beforeRemoval?.(api, key);
        await api.delete(collection, key);
        say(`${noun.command} ${text} is removed`);
      }),
    );
  if (beforeRemoval) remove.option('--yes', 'do not ask, though a VM would be cut off');
  return command;
}
