import { Command } from 'commander';
import { z } from 'zod';
import type { ApiError } from '../api/api-error.ts';
import {
  collections,
  writeSchemas,
  type CollectionName,
  type Objects,
  type WritableName,
} from '../api/collections.ts';
import { explainIssues } from '../api/explain.ts';
import { profileKey } from '../domain/profile-ref.ts';
import { readYaml } from './config-file.ts';
import { Failure } from './failure.ts';
import { withClient, withManager, type ManagerOptions } from './manager-client.ts';
import { print, table, tenantHeading } from './output.ts';

/** How the objects of one collection are called and listed. */
interface Noun<Name extends CollectionName> {
  readonly command: string;
  readonly description: string;
  readonly collection: Name;
  readonly heading: readonly string[];
  readonly row: (object: Objects[Name]) => readonly (string | number)[];
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
    status ? `${status.bridge} ${status.port} (${status.station ?? 'unnamed'})` : '-',
  ],
};

const migration: Noun<'migrations'> = {
  command: 'migration',
  description: 'migrations and what was measured at the switch',
  collection: 'migrations',
  heading: ['ID', 'VSI', 'STRATEGY', 'STATE', 'FROM', 'TO', 'STOP ms', 'DROPPED'],
  row: ({ id, vsiId, strategy, state, source, destination, times, counts }) => [
    id,
    vsiId,
    strategy,
    state,
    source?.port ?? '-',
    destination?.port ?? '-',
    times.stop && times.resume ? ((times.resume - times.stop) / 1000).toFixed(1) : '-',
    [counts.source, counts.destination]
      .flatMap((count) => Object.values(count?.dropped ?? {}))
      .reduce((sum, frames) => sum + frames, 0),
  ],
};

interface ClientOptions extends ManagerOptions {
  json?: boolean;
}

function readable<Name extends CollectionName>({
  command,
  description,
  collection,
  heading,
  row,
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
        print(values.map(form), options.json, () => table(heading, values.map(row)));
      }),
    );
  withManager(noun.command('get').description('print one').argument('<key>'))
    .option('--json', 'print JSON')
    .action((key: string, options: ClientOptions) =>
      withClient(options, async (api) => {
        const found = await api.get(collection, described.parseKey(key));
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
        console.log(`${noun.command} ${described.keyOf(parsed.data as never)} is set`);
      }),
    );
  withManager(command.command('rm').description('remove one'))
    .argument('<key>')
    .action((key: string, options: ClientOptions) =>
      withClient(options, async (api) => {
        await api.delete(collection, described.parseKey(key));
        console.log(`${noun.command} ${key} is removed`);
      }),
    );
  return command;
}
