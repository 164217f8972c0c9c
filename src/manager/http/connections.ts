export interface Quotas {
  /** connections of all addresses together */
  readonly total: number;
  /** of one address, on which nobody has shown yet who he is */
  readonly unproven: number;
  /** of one address, on which somebody has */
  readonly proven: number;
}

interface Known {
  readonly address: string;
  proven: boolean;
}

/**
 * Who holds connections, so that nobody can hold all of them. A connection is *unproven* until a request on it was one
 * that the manager answers: for these, the oldest makes room for the newest of its address, and where all addresses
 * together have too many, the address with the most of them gives one up. Proven ones are never closed for others.
 */
export class Connections<C> {
  readonly #quotas: Quotas;
  readonly #drop: (connection: C) => void;
  readonly #known = new Map<C, Known>();
  /** by address, the oldest first */
  readonly #unproven = new Map<string, Set<C>>();
  readonly #proven = new Map<string, Set<C>>();

  constructor(quotas: Quotas, drop: (connection: C) => void) {
    this.#quotas = quotas;
    this.#drop = drop;
  }

  /** A connection came in. False: there is no room, and nobody who has to make some. */
  opened(connection: C, address: string): boolean {
    if ((this.#unproven.get(address)?.size ?? 0) >= this.#quotas.unproven) this.#dropOldest(address);
    if (this.#known.size >= this.#quotas.total) {
      const crowd = this.#crowd();
      if (crowd === null) return false;
      this.#dropOldest(crowd);
    }
    this.#known.set(connection, { address, proven: false });
    setOf(this.#unproven, address).add(connection);
    return true;
  }

  /** Somebody has shown on it who he is. False: his address has all the connections that it may have. */
  proves(connection: C): boolean {
    const known = this.#known.get(connection);
    if (!known || known.proven) return true;
    const others = setOf(this.#proven, known.address);
    if (others.size >= this.#quotas.proven) return false;
    take(this.#unproven, known.address, connection);
    others.add(connection);
    known.proven = true;
    return true;
  }

  /** The proven connections of the address that this one comes from. */
  besides(connection: C): Iterable<C> {
    const known = this.#known.get(connection);
    return (known && this.#proven.get(known.address)) ?? [];
  }

  closed(connection: C): void {
    const known = this.#known.get(connection);
    if (!known) return;
    this.#known.delete(connection);
    take(known.proven ? this.#proven : this.#unproven, known.address, connection);
  }

  /** The address with the most unproven connections. */
  #crowd(): string | null {
    let crowd: string | null = null;
    let most = 0;
    for (const [address, { size }] of this.#unproven) if (size > most) [crowd, most] = [address, size];
    return crowd;
  }

  #dropOldest(address: string): void {
    const [oldest] = this.#unproven.get(address) ?? [];
    if (oldest === undefined) return;
    this.closed(oldest);
    this.#drop(oldest);
  }
}

/** What counts as one address: an IPv4 address, or an IPv6 network of 64 bits, which one host has to itself. */
export function addressKey(remote: string | undefined): string {
  if (remote === undefined) return '';
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(remote) ?? [];
  if (mapped !== undefined || !remote.includes(':')) return mapped ?? remote;
  const [head = '', tail] = remote.replace(/%.*$/, '').split('::');
  const groups = head.split(':').filter(Boolean);
  const rest = tail === undefined ? [] : tail.split(':').filter(Boolean);
  const zeros = tail === undefined ? 0 : 8 - groups.length - rest.length;
  return [...groups, ...Array<string>(Math.max(0, zeros)).fill('0'), ...rest].slice(0, 4).join(':');
}

function setOf<C>(sets: Map<string, Set<C>>, address: string): Set<C> {
  const set = sets.get(address) ?? new Set();
  sets.set(address, set);
  return set;
}

function take<C>(sets: Map<string, Set<C>>, address: string, connection: C): void {
  const set = sets.get(address);
  set?.delete(connection);
  if (set?.size === 0) sets.delete(address);
}
