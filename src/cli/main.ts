import { Command, CommanderError } from 'commander';
import { agentCommands } from './agents.ts';
import { benchCommand } from './bench.ts';
import { clientCommands } from './objects.ts';
import { explain } from './failure.ts';
import { addHelp } from './help.ts';
import { labCommand } from './lab.ts';
import { failIfUnwritten } from './output.ts';

const program = new Command('hairpin')
  .description('Virtual switch offload and port profile management for VMs, on IEEE 802.1Qbg')
  .version('0.1.0');

program.addCommand(labCommand());
program.addCommand(benchCommand());
for (const command of [...agentCommands(), ...clientCommands()]) program.addCommand(command);
speakAlike(program, 'hairpin');
failIfUnwritten();

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else process.exitCode = explain(error);
}

/** Every level has help, and complains of its command line in one line like any other; the exit code is left to us. */
function speakAlike(command: Command, path: string): void {
  command.exitOverride().configureOutput({
    outputError: (text, write) => {
      const wrong = text
        .replace(/^error: /, '')
        .trim()
        .replaceAll(/\.?\s*\n\s*/g, ' ');
      write(`hairpin: ${wrong.replace(/\.$/, '')}; see ${path} --help\n`);
    },
  });
  if (command.commands.length) addHelp(command);
  for (const child of command.commands) speakAlike(child, `${path} ${child.name()}`);
}
