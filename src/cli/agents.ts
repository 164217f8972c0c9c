import { Argument, Command } from 'commander';
import { bridgeConfig } from '../bridge/config/config.ts';
import { hypervisorEventKinds } from '../hypervisors/event.ts';
import { managerConfigSchema } from '../manager/config.ts';
import { stationConfig } from '../station/config.ts';
import type { Outcome } from '../station/asking.ts';
import { callLocal } from '../local/socket-client.ts';
import { parseUnicastMac } from '../domain/mac-address.ts';
import { addBridgeQueries } from './bridge/queries.ts';
import { readConfig } from './config-file.ts';
import { refuseUnknown } from './help.ts';
import { withClient, withManager, type ManagerOptions } from './manager-client.ts';
import { print, say } from './output.ts';
import { answerPromptly } from './prompt.ts';
import { needRoot } from './root.ts';
import { serve } from './serve.ts';
import { ask } from './server.ts';
import { stationFilterCommand } from './station-filter.ts';

interface AnnounceOptions {
  readonly control?: string;
  readonly mac?: string[];
  readonly json?: boolean;
}

/** The three agents, each a real process that runs until it is told to end. */
export function agentCommands(): Command[] {
  return [managerCommand(), bridgeCommand(), stationCommand()];
}

function managerCommand(): Command {
  const command = agent(
    'manager',
    'the VSI manager: port profiles, VSIs and migrations, behind a REST API',
    async (config, { init }: { init?: true }) => {
      const read = () => readConfig(config, managerConfigSchema);
      await serve('manager', read, async (parsed, logger) => {
        const { startManager } = await import('../manager/run.ts');
        return startManager(parsed, logger, { anew: init === true });
      });
    },
  ).option('--init', 'make a new, empty database where there was one that is gone');
  withManager(
    command
      .command('accept')
      .description(
        'say that the database is right as it is, after it came back from a copy, empty, or as another one: bridges let go of what it lacks and they have kept in force for running VMs',
      ),
  ).action((options: ManagerOptions) =>
    withClient(options, async (api) => {
      const revision = await api.accept();
      say(`the database is accepted as it is (revision ${revision})`);
    }),
  );
  return command;
}

function bridgeCommand(): Command {
  const command = agent(
    'bridge',
    'the EVB bridge agent, in the network namespace of the switch',
    async (config) => {
      const read = () => readConfig(config, bridgeConfig);
      await serve('bridge', read, async (parsed, logger) => {
        needRoot('the bridge agent loads the data plane into the kernel');
        await answerPromptly();
        const { runBridge } = await import('../bridge/run.ts');
        return runBridge(parsed, logger);
      });
    },
  );
  addBridgeQueries(command);
  return command;
}

function stationCommand(): Command {
  const command = agent('station', 'the EVB station agent of a host', async (config) => {
    const read = () => readConfig(config, stationConfig);
    await serve('station', read, async (parsed, logger) => {
      needRoot('the station agent sends frames on the uplink');
      await answerPromptly();
      const { runStation } = await import('../station/run.ts');
      return runStation(parsed, logger);
    });
  });
  command
    .command('announce')
    .description('tell the station of a VM, from a toolstack that it cannot watch; waits for the bridge')
    .addArgument(new Argument('<event>').choices(hypervisorEventKinds))
    .argument('<vm>', "the VM's name")
    .option('--control <path>', "the station's control socket (required)")
    .option('--mac <address...>', "the addresses of the VM's NICs (required)")
    .option('--json', 'print JSON')
    .action(async (event: string, vm: string, { control, mac, json }: AnnounceOptions, announce: Command) => {
      // not by commander, which would ask for them before it looks at the event
      if (control === undefined || mac === undefined)
        return announce.error(
          `error: required option '${control === undefined ? '--control <path>' : '--mac <address...>'}' not specified`,
        );
      const macs = mac.map(parseUnicastMac);
      const station = {
        socket: control,
        absent: 'no station agent runs there',
        start: 'hairpin station --config FILE',
      };
      const outcome = await ask(
        station,
        (socket) => callLocal(socket, 'announce', { event, vm, macs }) as Promise<Outcome>,
      );
      print(outcome, json, () => (outcome.granted ? 'granted' : `refused: ${outcome.reason}`));
      if (!outcome.granted) process.exitCode = 1;
    });
  command.addCommand(stationFilterCommand());
  command
    .command('unpin')
    .description('believe a bridge without a signature again, although one was verified')
    .option('--json', 'print JSON')
    .action(async (_, unpin: Command) => {
      const { config, json } = unpin.optsWithGlobals<{ config: string; json?: boolean }>();
      const { control } = readConfig(config, stationConfig);
      const station = {
        socket: control,
        absent: 'the station agent does not run',
        start: `hairpin station --config ${config}`,
      };
      const done = await ask(station, (socket) => callLocal(socket, 'unpin'));
      print(done, json, () => 'done');
    })
    .configureHelp({ showGlobalOptions: true });
  return command;
}

/** The command that runs an agent; what else the agent is asked is a command below it. */
function agent(
  name: string,
  description: string,
  run: (config: string, options: object) => Promise<void>,
): Command {
  return new Command(name)
    .description(description)
    .option('--config <file>', 'YAML or JSON; see docs/configuration.md', `/etc/hairpin/${name}.yaml`)
    .allowExcessArguments() // which are no arguments, but commands that there are not
    .action(async (options: { config: string }, command: Command) => {
      const [unknown] = command.args;
      if (unknown !== undefined) refuseUnknown(command, unknown);
      await run(options.config, options);
    });
}
