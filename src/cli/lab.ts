import { Command, InvalidArgumentError, Option } from 'commander';
import { strategies } from '../domain/migration.ts';
import { defaultListen, listenForms, parseListen } from '../manager/listen.ts';
import { positive } from './arguments.ts';
import type { CompareOptions, MigrateOptions, StatusOptions, UpOptions } from './lab-actions.ts';

/** `hairpin lab …`; what the commands do is loaded when one of them runs. */
export function labCommand(): Command {
  const lab = new Command('lab').description('a laboratory on this machine: a switch, two hosts, three VMs');
  const named = (name: string, description: string) =>
    lab.command(name).description(description).option('--id <id>', 'which lab', labId, 'lab');

  withVms(named('up', 'set the lab up and run it until Ctrl-C'))
    .option('--listen <address>', 'where the manager listens', listenAddress, defaultListen)
    .option('--detach', 'come back when it is up; "hairpin lab down" ends it')
    .option('--json', 'print JSON')
    .action(async (options: UpOptions) => (await actions()).up(options));
  named('down', 'end the lab and remove all of it, also after a crash').action(
    async (options: { id: string }) => (await actions()).down(options),
  );
  named('status', 'what is there')
    .option('--json', 'print JSON')
    .action(async (options: StatusOptions) => (await actions()).status(options));
  named('migrate', 'move a running VM to another host, and measure it')
    .argument('<vm>')
    .argument('<host>')
    .addOption(new Option('--strategy <strategy>').choices(strategies).default('profile-first'))
    .option('--json', 'print JSON')
    .action(async (vm: string, host: string, options: MigrateOptions) =>
      (await actions()).migrate(vm, host, options),
    );
  withVms(named('compare', 'set a lab up, move a VM by each strategy in turn, take it down'))
    .addOption(new Option('--runs <n>', 'by each strategy').argParser(positive(9999)).default(5))
    .option('--silent', 'the VM only receives while it moves, and nobody announces it')
    .option('--json', 'print JSON')
    .action(async (options: CompareOptions) => (await actions()).compareStrategies(options));
  return lab;
}

function actions() {
  return import('./lab-actions.ts');
}

function withVms(command: Command): Command {
  return command
    .addOption(
      new Option('--vms <kind>', 'what a VM is: a namespace, or a QEMU guest')
        .choices(['netns', 'qemu'])
        .default('netns'),
    )
    .option('--simulated', 'on simulated links, in one process; the way it is without root or off Linux');
}

function labId(value: string): string {
  if (!/^[a-z0-9]{1,6}$/.test(value))
    throw new InvalidArgumentError('1 to 6 small letters and digits would be right.');
  return value;
}

function listenAddress(value: string): string {
  try {
    parseListen(value);
  } catch {
    throw new InvalidArgumentError(`${listenForms} would be right.`);
  }
  return value;
}
