import type { ApiClient, Listing } from '../client/client.ts';
import type { VsiSpec } from '../domain/vsi.ts';
import type { MacAddress } from '../domain/mac-address.ts';
import { parseProfileKey, profileKey } from '../domain/profile-ref.ts';
import type { StationVsi } from './parts.ts';

type Known = Pick<VsiSpec, 'vsiId' | 'macs' | 'profile'>;

/**
 * The VSIs in the manager's database by their addresses; follows the manager until `close`. What a database lacks that
 * came back empty, from an older copy, or as another one, is still known until the administrator accepts it: the bridge
 * decides what of it is in force.
 */
export class VsiDirectory {
  readonly #api: ApiClient;
  readonly #vsis = new Map<string, Known>();
  /** those that the database lacks */
  readonly #withheld = new Set<string>();
  /** the revision of the list that lacked them; null: nothing was listed yet */
  #since: number | null = null;
  readonly #stop = new AbortController();
  readonly #warn: (message: string) => void;

  /** @param known what an earlier agent knew, of whatever database that was */
  constructor(api: ApiClient, warn: (message: string) => void, known: readonly StationVsi[] = []) {
    for (const { vsiId, macs, profile } of known)
      this.#vsis.set(vsiId, { vsiId, macs, profile: profileKey(profile) });
    this.#api = api;
    this.#warn = warn;
    const watching = api.watch(
      'vsis',
      null,
      (event) => {
        if (event.kind === 'list') this.#listed(event);
        else if (event.kind === 'put') this.#set(event.value);
        else if (event.kind === 'delete') this.#delete(event.key);
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

  #listed({ items, revision, continues, accepted, unreadable }: Listing<VsiSpec>): void {
    const goesOn = continues && this.#since !== null;
    const isAccepted = goesOn && accepted > this.#since!;
    if (!goesOn) this.#since = revision;
    const there = new Set([...items.map(({ value }) => value.vsiId), ...unreadable]);
    for (const vsiId of this.#vsis.keys()) {
      if (there.has(vsiId)) continue;
      if (isAccepted || (goesOn && !this.#withheld.has(vsiId))) this.#delete(vsiId);
      else this.#withheld.add(vsiId);
    }
    for (const { value } of items) this.#set(value);
  }

  #set(vsi: Known): void {
    this.#vsis.set(vsi.vsiId, vsi);
    this.#withheld.delete(vsi.vsiId);
  }

  #delete(vsiId: string): void {
    this.#vsis.delete(vsiId);
    this.#withheld.delete(vsiId);
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
      for (const { value } of items) this.#set(value);
    } catch (error) {
      this.#warn((error as Error).message);
    }
    return this.#find(macs);
  }

  /** An address that the database gives to a VSI now is not a withheld one's any more. */
  #find(macs: readonly MacAddress[]): StationVsi[] {
    const given = new Set<MacAddress>();
    const known = [...this.#vsis.values()];
    if (this.#withheld.size) known.sort((a, b) => this.#rank(a) - this.#rank(b));
    return known.flatMap(({ vsiId, macs: own, profile }) => {
      const isWithheld = this.#withheld.has(vsiId);
      const here = own.filter((mac) => macs.includes(mac) && !(isWithheld && given.has(mac)));
      for (const mac of here) given.add(mac);
      return here.length ? [{ vsiId, macs: here, profile: parseProfileKey(profile) }] : [];
    });
  }

  #rank({ vsiId }: Known): number {
    return this.#withheld.has(vsiId) ? 1 : 0;
  }
}
