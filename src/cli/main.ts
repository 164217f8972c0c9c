import { Command, CommanderError } from 'commander';
import { agentCommands } from './agents.ts';
import { clientCommands } from './clients.ts';
import { explain } from './failure.ts';
import { labCommand } from './lab.ts';

const program = new Command('hairpin')
  .description('Virtual switch offload and port profile management for VMs, on IEEE 802.1Qbg')
  .version('0.1.0')
  .exitOverride()
  .configureHelp({ sortSubcommands: false })
  .showSuggestionAfterError();

program.addCommand(labCommand());
for (const command of [...agentCommands(), ...clientCommands()]) program.addCommand(command);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else process.exitCode = explain(error);
}
