import { Command } from 'commander';
import { withManager } from './manager-client.ts';
import type { ObjectOptions, RemovalOptions, ShownName, WrittenName } from './object-actions.ts';

/** How the objects of one collection are called. */
interface Noun<Name extends ShownName> {
  readonly command: string;
  readonly description: string;
  readonly collection: Name;
  /** what one of them is chosen by, where that is more than its key */
  readonly key?: string;
  /** the removal may ask before it cuts a VM off */
  readonly asks?: true;
}

/** `hairpin tenant|profile|vsi|migration …`: clients of the manager's API, which is loaded when one of them runs. */
export function clientCommands(): Command[] {
  return [writable(tenant), writable(profile), writable(vsi), readable(migration)];
}

const tenant: Noun<'tenants'> = {
  command: 'tenant',
  description: 'who owns profiles and VSIs, and what all of them get on one bridge',
  collection: 'tenants',
};

const profile: Noun<'profiles'> = {
  command: 'profile',
  description: 'port profiles: VLANs, rates, access list, marking, guards, mirror',
  collection: 'profiles',
};

const vsi: Noun<'vsis'> = {
  command: 'vsi',
  description: 'VM NICs: what each is granted, and where it is',
  collection: 'vsis',
  key: "its VSIID, or the VM's name",
  asks: true,
};

const migration: Noun<'migrations'> = {
  command: 'migration',
  description: 'migrations and what was measured at the switch',
  collection: 'migrations',
};

function readable({ command, description, collection, key }: Noun<ShownName>): Command {
  const noun = new Command(command).description(description);
  withManager(noun.command('ls').description('list them'))
    .option('--json', 'print JSON')
    .action(async (options: ObjectOptions) => (await actions()).list(collection, options));
  withManager(noun.command('get').description('print one').argument('<key>', key))
    .option('--json', 'print JSON')
    .action(async (text: string, options: ObjectOptions) => (await actions()).get(collection, text, options));
  return noun;
}

function writable(noun: Noun<WrittenName>): Command {
  const { collection, key, asks } = noun;
  const command = readable(noun);
  withManager(
    command
      .command('put')
      .description('create or replace one, from a YAML or JSON file ("-": standard input)'),
  )
    .argument('<file>')
    .action(async (file: string, options: ObjectOptions) => (await actions()).put(collection, file, options));
  const remove = withManager(command.command('rm').description('remove one'))
    .argument('<key>', key)
    .action(async (text: string, options: RemovalOptions) =>
      (await actions()).remove(collection, text, options),
    );
  if (asks) remove.option('--yes', 'do not ask, though a VM would be cut off');
  return command;
}

function actions() {
  return import('./object-actions.ts');
}
