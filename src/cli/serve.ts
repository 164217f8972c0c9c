import { pino, type Logger } from 'pino';
import { printableLines } from '../domain/printable.ts';
import { Failure } from '../base/failure.ts';

export interface Running<Config> {
  close(): Promise<void>;
  readonly addresses?: readonly string[];
  /**
   * Puts another configuration in force, as far as it differs. Without it the agent has to be started anew.
   * @throws an error that tells the user in one line what is wrong, and nothing was changed
   */
  reload?(config: Config): void | Promise<void>;
}

/** In ms: an agent that was told to end, and has not by then, ends where it is. */
const endsWithin = 5_000;
const mostLogged = 1 << 20;

/**
 * Runs an agent until SIGTERM or SIGINT, or until the lab that started it is gone. At SIGHUP it reads its file again:
 * what is wrong with the file is one line in the log, and changes nothing.
 */
export async function serve<Config>(
  name: string,
  read: () => Config,
  start: (config: Config, logger: Logger) => Promise<Running<Config>>,
): Promise<void> {
  const config = read();
  const logger = pino({ name, level: process.env['HAIRPIN_LOG'] ?? 'info' }, log());
  const { promise, resolve } = Promise.withResolvers<string>();
  process.once('SIGTERM', resolve).once('SIGINT', resolve);
  let reload = (): void => {}; // the file is being read for the first time
  process.on('SIGHUP', () => reload());
  const running = await start(config, logger);
  logger.info({ addresses: running.addresses }, 'ready');
  let reloading = Promise.resolve();
  reload = () => {
    reloading = reloading.then(() => reloaded(running, read, logger));
  };
  process.once('disconnect', () => resolve('the lab ended'));
  process.send?.({ addresses: running.addresses ?? [] });
  logger.info(`ending: ${await promise}`);
  reload = () => {};
  setTimeout(() => {
    logger.error(`not ended within ${endsWithin / 1000} s; what waits is given up`);
    process.exit(1);
  }, endsWithin);
  await running.close();
  process.exit(0);
}

async function reloaded<Config>(running: Running<Config>, read: () => Config, logger: Logger): Promise<void> {
  try {
    const config = read();
    if (running.reload) {
      await running.reload(config);
      logger.info('the configuration was read again, and is in force');
    } else logger.warn('the configuration was read again; what changed in it needs a restart of this agent');
  } catch (error) {
    if (error instanceof Failure)
      logger.error(
        `the configuration was read again, and nothing was changed: ${error.message.replaceAll('\n', '; ')}`,
      );
    else logger.error({ err: error }, 'unexpected');
  }
}

/** Standard output. An agent whose log cannot be written goes on: a full disk stops no traffic. */
function log() {
  const destination = pino.destination({ sync: true, maxLength: mostLogged });
  let told = false;
  destination.on('error', ({ message }: Error) => {
    if (!told) console.error(`hairpin: the log cannot be written: ${message}`);
    told = true;
  });
  // names from the wire stand in it
  return { write: (line: string) => destination.write(printableLines(line)) };
}
