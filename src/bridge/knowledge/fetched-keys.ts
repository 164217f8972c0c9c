import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ApiError } from '../../client/api-error.ts';
import type { ApiClient } from '../../client/client.ts';
import { stationKeysJson, stationKeysOf, type StationKeys } from '../../forms/station-keys.ts';
import { replaceFile } from '../../local/replace-file.ts';

const intervalMs = 30_000;
/** At the start of all agents the manager may come last. */
const soonMs = 1_000;

/**
 * The stations' keys as the manager has them: asked for again and again until `close`, and kept in a file, so that a
 * bridge that starts while the manager is away still knows them.
 */
export class FetchedKeys {
  readonly #api: ApiClient;
  readonly #path: string;
  readonly #warn: (message: string) => void;
  #keys: StationKeys;
  #problem: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #changed: (keys: StationKeys) => void = () => {};
  #isClosed = false;

  constructor(api: ApiClient, stateDirectory: string, warn: (message: string) => void) {
    this.#api = api;
    this.#path = join(stateDirectory, 'station-keys.json');
    this.#warn = warn;
    this.#keys = this.#load();
  }

  get keys(): StationKeys {
    return this.#keys;
  }

  follow(changed: (keys: StationKeys) => void): void {
    this.#changed = changed;
    void this.#ask();
  }

  /** Asks at once, and not only when it is time. */
  refresh(): void {
    if (this.#timer === undefined) return; // the answer is on its way
    clearTimeout(this.#timer);
    this.#timer = undefined;
    void this.#ask();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#api.close();
  }

  async #ask(): Promise<void> {
    let wait = intervalMs;
    try {
      const keys = await this.#api.stationKeys();
      this.#problem = null;
      if (!this.#isClosed && !isDeepStrictEqual(keys, this.#keys)) this.#take(keys);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // that the manager is away is told elsewhere
      if (error.status === null) wait = soonMs;
      else if (error.message !== this.#problem) this.#warn(`station keys: ${error.message}`);
      this.#problem = error.message;
    }
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#ask();
    }, wait);
  }

  #take(keys: StationKeys): void {
    this.#keys = keys;
    this.#changed(keys);
    try {
      replaceFile(this.#path, JSON.stringify(stationKeysJson(keys)));
    } catch (error) {
      this.#warn(`${this.#path} cannot be written: ${(error as Error).message}`);
    }
  }

  #load(): StationKeys {
    try {
      return stationKeysOf(JSON.parse(readFileSync(this.#path, 'utf8')), this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#warn(`${this.#path} is not of use`);
      return new Map();
    }
  }
}
