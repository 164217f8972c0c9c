import { join } from 'node:path';
import type { Logger } from 'pino';
import { keepEpoch, nextEpoch } from '../../local/boot-epoch.ts';
import { ApiClient } from '../../client/client.ts';
import { readStationKeys } from '../../forms/key-file.ts';
import { now } from '../../linux/clock.ts';
import { FetchedKeys } from './fetched-keys.ts';
import { Keyring } from '../core/signing.ts';

export interface SigningKeys {
  readonly keyring: Keyring;
  /** The agent has started: tells of other keys from now on, and keeps the number of this start for the next one. */
  follow(changed: () => void): void;
  /** Reads the bridge's own file of keys anew. What it returns puts it in force; without a file, it asks the manager. @throws Invalid */
  reload(): () => void;
  close(): void;
}

interface Where {
  readonly stateDirectory: string;
  readonly stationKeys?: string | undefined;
  readonly manager?: string | undefined;
  readonly token?: string | undefined;
}

/** Where a bridge has its stations' keys from: its own file, else the manager. @throws Invalid */
export function signingKeys(where: Where, logger: Logger): SigningKeys {
  const { stateDirectory, stationKeys, manager, token } = where;
  const warn = (message: string): void => logger.warn(message);
  const own = stationKeys === undefined ? undefined : readStationKeys(stationKeys);
  const path = join(stateDirectory, 'epoch');
  const epoch = nextEpoch(path, now() / 1e6);
  const keep = (): void => keepEpoch(path, epoch, warn);
  if (own || manager === undefined) {
    const keyring = new Keyring(epoch, own);
    let told = (): void => {};
    return {
      keyring,
      follow(changed) {
        keep();
        told = changed;
      },
      reload() {
        const read = stationKeys === undefined ? null : readStationKeys(stationKeys);
        return () => {
          if (!read) return;
          keyring.set(read);
          told();
        };
      },
      close() {},
    };
  }
  const fetched = new FetchedKeys(new ApiClient(manager, { token }), stateDirectory, warn);
  const keyring = new Keyring(epoch, fetched.keys);
  return {
    keyring,
    follow(changed) {
      keep();
      fetched.follow((keys) => {
        keyring.set(keys);
        changed();
      });
    },
    reload: () => () => fetched.refresh(),
    close: () => fetched.close(),
  };
}
