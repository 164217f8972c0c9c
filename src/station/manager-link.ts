import { ApiClient } from '../client/client.ts';
import type { StationVsi } from './parts.ts';
import type { StationConfig } from './config.ts';
import { VsiDirectory } from './vsi-directory.ts';

type ManagerConfig = Pick<StationConfig, 'manager' | 'token'>;

/** The station's manager, and what it knows from it; another manager can take its place while the station runs. */
export class ManagerLink {
  readonly #warn: (message: string) => void;
  #config: ManagerConfig;
  #api: ApiClient;
  #vsis: VsiDirectory;

  constructor(config: ManagerConfig, warn: (message: string) => void, known: readonly StationVsi[]) {
    this.#warn = warn;
    this.#config = config;
    this.#api = new ApiClient(config.manager, { token: config.token });
    this.#vsis = new VsiDirectory(this.#api, warn, known);
  }

  get api(): ApiClient {
    return this.#api;
  }

  get vsis(): VsiDirectory {
    return this.#vsis;
  }

  /** What was known counts until the new manager has said what there is. */
  follow(config: ManagerConfig): void {
    if (config.manager === this.#config.manager && config.token === this.#config.token) return;
    const known = this.#vsis.all();
    this.close();
    this.#config = config;
    this.#api = new ApiClient(config.manager, { token: config.token });
    this.#vsis = new VsiDirectory(this.#api, this.#warn, known);
  }

  close(): void {
    this.#vsis.close();
    this.#api.close();
  }
}
