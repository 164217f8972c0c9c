import { Command } from 'commander';
import { addBridgeQueries } from './bridge/queries.ts';
import { refuseUnknown } from './help.ts';
import { withClient, withManager, type ManagerOptions } from './manager-client.ts';
import { say } from './output.ts';
import { addStationCommands } from './station.ts';

/** The three agents, each a real process that runs until it is told to end. */
export function agentCommands(): Command[] {
  return [managerCommand(), bridgeCommand(), stationCommand()];
}

function managerCommand(): Command {
  const command = agent(
    'manager',
    'the VSI manager: port profiles, VSIs and migrations, behind a REST API',
    async (config, { init }: { init?: true }) => {
      const { runManager } = await import('./agent-actions.ts');
      await runManager(config, { anew: init === true });
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
      const { runBridge } = await import('./agent-actions.ts');
      await runBridge(config);
    },
  );
  addBridgeQueries(command);
  return command;
}

function stationCommand(): Command {
  const command = agent('station', 'the EVB station agent of a host', async (config) => {
    const { runStation } = await import('./agent-actions.ts');
    await runStation(config);
  });
  addStationCommands(command);
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
