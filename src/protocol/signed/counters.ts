import { sameMac } from './hmac.ts';
import { compareCounters, type Counter, type SignatureTlv } from './tlv.ts';

/** What came last under a key, for the next run to know. */
export interface VerifiedKey extends Counter {
  readonly fingerprint: string;
}

/** LLDPDUs and ECP requests are counted by one sequence, and each of the two arrives in order by itself. */
export type Channel = 'lldp' | 'ecp';

/** `fresh`: newer than all before; `repeated`: the last one once more; `old`: before the last one, or not it. */
export type Order = 'fresh' | 'repeated' | 'old';

interface Last extends Counter {
  /** null: not of a frame that was seen in this run */
  readonly mac: Uint8Array | null;
}

/** Keys that verified something here, more than a change of keys and of hosts needs. */
const mostKeys = 8;

/**
 * Tells a new frame from a replayed one, by key: two stations that follow each other at a port count differently.
 *
 * Only LLDPDUs are remembered over a restart, as they are few. After a restart, of this side or of the sender, no ECPDU
 * counts that was signed before the first LLDPDU that is verified then.
 */
export class Counters {
  readonly #lldp = new Map<string, Last>();
  readonly #ecp = new Map<string, Last>();

  constructor(before: readonly VerifiedKey[] = []) {
    for (const { fingerprint, epoch, sequence } of before)
      this.#lldp.set(fingerprint, { epoch, sequence, mac: null });
  }

  /** By when they verified something last. */
  get keys(): readonly VerifiedKey[] {
    return Array.from(this.#lldp, ([fingerprint, { epoch, sequence }]) => ({ fingerprint, epoch, sequence }));
  }

  /** Takes a signature that is right. `restarted`: its signer was, since the last one. */
  take(
    channel: Channel,
    fingerprint: string,
    { counter, mac }: SignatureTlv,
  ): { readonly order: Order; readonly restarted: boolean } {
    const lldp = this.#lldp.get(fingerprint);
    const ecp = this.#ecp.get(fingerprint);
    const last = channel === 'lldp' ? lldp : (ecp ?? lldp);
    const order = last ? orderOf(last, counter, mac) : 'fresh';
    if (order !== 'fresh') return { order, restarted: false };
    const now = { ...counter, mac: Uint8Array.from(mac) };
    if (channel === 'ecp') this.#ecp.set(fingerprint, now);
    else if (!ecp || ecp.epoch < counter.epoch) this.#ecp.set(fingerprint, { ...counter, mac: null });
    if (channel === 'lldp' || !lldp)
      this.#remember(fingerprint, channel === 'lldp' ? now : { ...now, mac: null });
    return { order, restarted: lldp !== undefined && lldp.epoch < counter.epoch };
  }

  clear(): void {
    this.#lldp.clear();
    this.#ecp.clear();
  }

  #remember(fingerprint: string, last: Last): void {
    this.#lldp.delete(fingerprint);
    this.#lldp.set(fingerprint, last);
    for (const oldest of this.#lldp.keys()) {
      if (this.#lldp.size <= mostKeys) return;
      this.#lldp.delete(oldest);
      this.#ecp.delete(oldest);
    }
  }
}

function orderOf(last: Last, counter: Counter, mac: Uint8Array): Order {
  const after = compareCounters(counter, last);
  if (after > 0) return 'fresh';
  return after === 0 && last.mac !== null && sameMac(last.mac, mac) ? 'repeated' : 'old';
}
