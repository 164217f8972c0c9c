import type { Command } from 'commander';

/** `help [command]` below a command. Commander's own takes a command that there is not for none at all. */
export function addHelp(command: Command): void {
  command
    .helpCommand(false)
    .command('help')
    .argument('[command]')
    .description('display help for command')
    .action((name: string | undefined) => {
      const about = name === undefined ? command : command.commands.find((each) => each.name() === name);
      if (!about) refuseUnknown(command, name!);
      else about.help();
    });
}

/** Complains of a word that is no command below `command`. */
export function refuseUnknown(command: Command, word: string): never {
  return command.error(`error: unknown command '${word}'`);
}
