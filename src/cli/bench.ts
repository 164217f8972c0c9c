import { Command } from 'commander';
import { controlBenchCommand } from './bench-control.ts';
import { offloadBenchCommand, relayBenchCommand } from './bench-relay.ts';

/** `hairpin bench …` */
export function benchCommand(): Command {
  const bench = new Command('bench').description('measure Hairpin against what it replaces, on this machine');
  for (const command of [controlBenchCommand(), relayBenchCommand(), offloadBenchCommand()])
    bench.addCommand(command);
  return bench;
}
