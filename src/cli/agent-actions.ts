import { bridgeConfig } from '../bridge/config/config.ts';
import { managerConfigSchema } from '../manager/config.ts';
import { stationConfig } from '../station/config.ts';
import { readConfig } from './config-file.ts';
import { answerPromptly } from './prompt.ts';
import { needRoot } from './root.ts';
import { serve } from './serve.ts';

// An agent's own modules are loaded after it has read its file, and after `answerPromptly` where that is called.

export async function runManager(config: string, how: { readonly anew: boolean }): Promise<void> {
  const read = () => readConfig(config, managerConfigSchema);
  await serve('manager', read, async (parsed, logger) => {
    const { startManager } = await import('../manager/run.ts');
    return startManager(parsed, logger, how);
  });
}

export async function runBridge(config: string): Promise<void> {
  const read = () => readConfig(config, bridgeConfig);
  await serve('bridge', read, async (parsed, logger) => {
    needRoot('the bridge agent loads the data plane into the kernel');
    await answerPromptly();
    const bridge = await import('../bridge/run.ts');
    return bridge.runBridge(parsed, logger);
  });
}

export async function runStation(config: string): Promise<void> {
  const read = () => readConfig(config, stationConfig);
  await serve('station', read, async (parsed, logger) => {
    needRoot('the station agent sends frames on the uplink');
    await answerPromptly();
    const station = await import('../station/run.ts');
    return station.runStation(parsed, logger);
  });
}
