import type { ApiClient } from '../api/client.ts';
import type { VsiSpec } from '../api/vsi.ts';
import type { MacAddress } from '../domain/mac-address.ts';
import { parseProfileKey, profileKey } from '../domain/profile-ref.ts';
import type { StationVsi } from './agent.ts';

/** The VSIs in the manager's database by their addresses; follows the manager until `close`. */
export class VsiDirectory {
  readonly #api: ApiClient;
  readonly #vsis = new Map<string, Pick<VsiSpec, 'vsiId' | 'macs' | 'profile'>>();
  readonly #stop = new AbortController();
  readonly #warn: (message: string) => void;

  /** @param known what an earlier agent knew: it counts until the manager has said what there is */
  constructor(api: ApiClient, warn: (message: string) => void, known: readonly StationVsi[] = []) {
    for (const { vsiId, macs, profile } of known)
      this.#vsis.set(vsiId, { vsiId, macs, profile: profileKey(profile) });
    this.#api = api;
    this.#warn = warn;
    const watching = api.watch(
      'vsis',
      null,
      (event) => {
        if (event.kind === 'list') {
          this.#vsis.clear();
          for (const { value } of event.items) this.#vsis.set(value.vsiId, value);
        } else if (event.kind === 'put') this.#vsis.set(event.key, event.value);
        else if (event.kind === 'delete') this.#vsis.delete(event.key);
        else if (event.kind === 'disconnected') warn(event.error);
      },
      this.#stop.signal,
    );
    watching.catch((error: Error) => warn(error.message));
  }

  /** All that is known now, for another directory to begin with. */
  all(): StationVsi[] {
    return [...this.#vsis.values()].map(({ vsiId, macs, profile }) => ({
      vsiId,
      macs,
      profile: parseProfileKey(profile),
    }));
  }

  close(): void {
    this.#stop.abort();
  }

  /** From what is known; the manager is asked for what is not, and what it cannot be asked for is left out. */
  of(macs: readonly MacAddress[]): readonly StationVsi[] | Promise<readonly StationVsi[]> {
    const known = this.#find(macs);
    const complete = macs.every((mac) => known.some((vsi) => vsi.macs.includes(mac)));
    return complete ? known : this.#ask(macs);
  }

  async #ask(macs: readonly MacAddress[]): Promise<readonly StationVsi[]> {
    try {
      const { items } = await this.#api.list('vsis');
      for (const { value } of items) this.#vsis.set(value.vsiId, value);
    } catch (error) {
      this.#warn((error as Error).message);
    }
    return this.#find(macs);
  }

  #find(macs: readonly MacAddress[]): StationVsi[] {
    return [...this.#vsis.values()].flatMap(({ vsiId, macs: own, profile }) => {
      const here = own.filter((mac) => macs.includes(mac));
      return here.length ? [{ vsiId, macs: here, profile: parseProfileKey(profile) }] : [];
    });
  }
}
