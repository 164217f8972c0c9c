import { accessSync, constants } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { positive } from './arguments.ts';
import type { BenchOptions } from './bench-report.ts';
import type { Load, Rounds } from './bench-relay.ts';

const mostNumber = 9_999_999;

/** `hairpin bench …`; a benchmark is loaded when it runs. */
export function benchCommand(): Command {
  const bench = new Command('bench').description('measure Hairpin against what it replaces, on this machine');
  bench.addCommand(controlCommand());
  bench.addCommand(relayCommand());
  bench.addCommand(offloadCommand());
  return bench;
}

function controlCommand(): Command {
  return benchmark(
    'control',
    'answers to associations, against lldpad: how soon, how many, how many VSIs',
  ).action(async (options: BenchOptions) => {
    const { measureControl } = await import('./bench-control.ts');
    await measureControl(options);
  });
}

function relayCommand(): Command {
  return withRounds(
    benchmark(
      'relay',
      'what a frame costs in the relay, against the Linux bridge, nftables and Open vSwitch',
    ),
  ).action(async (options: BenchOptions & Rounds) => {
    const { measureRelay } = await import('./bench-relay.ts');
    await measureRelay(options);
  });
}

function offloadCommand(): Command {
  return withRounds(
    benchmark('offload', "what a VM's frames cost its host, by VEPA against a switch of the host's own"),
  )
    .addOption(
      new Option('--pps <n>', "one VM's frames a second, both directions together")
        .argParser(positive(mostNumber))
        .default(20_000),
    )
    .action(async (options: BenchOptions & Rounds & Load) => {
      const { measureOffload } = await import('./bench-relay.ts');
      await measureOffload(options);
    });
}

/** A subcommand with what every benchmark can be told. */
function benchmark(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--quick', 'a run that only shows that it works', false)
    .addOption(new Option('--output <file>', 'write the report there too').argParser(writable))
    .option('--json', 'print JSON');
}

function withRounds(command: Command): Command {
  return command.addOption(
    new Option('--rounds <n>', 'measurements of each, in turn').argParser(positive(mostNumber)).default(5),
  );
}

/** To be told after the benchmark that its report cannot be written would be late. */
function writable(path: string): string {
  try {
    accessSync(dirname(resolve(path)), constants.W_OK);
  } catch {
    throw new InvalidArgumentError(
      'a file in a directory that is there and can be written to would be right.',
    );
  }
  return path;
}
