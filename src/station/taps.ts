import type { MacAddress } from '../domain/mac-address.ts';
import type { Link } from '../linux/net/links.ts';
import type { Taps } from './parts.ts';

export interface TapsParts {
  readonly uplink: () => number;
  readonly links: () => readonly Link[];
  readonly setUp: (name: string, up: boolean) => void;
  /** Sets a network parameter of the namespace and returns what it was; null if the kernel has none of this name. */
  readonly setParameter: (name: string, value: number) => number | null;
  /** whether the administrator wants it so */
  readonly isOn: () => boolean;
  readonly log: (level: 'info' | 'warn', message: string) => void;
}

/** What was set up: to be taken back if the VM does not come. */
interface SetUp {
  readonly index: number;
  readonly name: string;
  readonly before: readonly (readonly [parameter: string, value: number])[];
}

/** By these, the kernel of the host would speak with the VM's address while the VM is elsewhere. */
const silent = (name: string) =>
  [
    [`ipv6/conf/${name}/disable_ipv6`, 1],
    [`ipv4/conf/${name}/arp_notify`, 0],
    [`ipv6/conf/${name}/ndisc_notify`, 0],
  ] as const;

const kinds = new Set(['macvtap', 'macvlan']);

/**
 * The macvtaps and macvlans on the uplink, in the host's own namespace. libvirt leaves a VM's down until it starts its
 * CPUs; what the bridge sends there before would be lost. So an armed VM's is set up by the station, and what comes waits
 * in its queue. It may be made later than its VM is armed: `changed` is called when links have changed.
 */
export class HostTaps implements Taps {
  readonly #parts: TapsParts;
  /** those whose VM is on its way; null: not set up by the station */
  readonly #coming = new Map<MacAddress, SetUp | null>();
  readonly #failed = new Set<number>();

  constructor(parts: TapsParts) {
    this.#parts = parts;
  }

  /** Whether somebody waits for an interface that is not there or not up. */
  get isWaiting(): boolean {
    return [...this.#coming.values()].includes(null);
  }

  ready(macs: readonly MacAddress[]): boolean {
    const taps = this.#found();
    return taps.every(({ mac, up }) => up || !macs.includes(mac!));
  }

  prepare(macs: readonly MacAddress[]): void {
    for (const mac of macs) if (!this.#coming.has(mac)) this.#coming.set(mac, null);
    if (!this.#parts.isOn()) return;
    for (const tap of this.#found())
      if (tap.mac && this.#coming.get(tap.mac) === null && !tap.up) this.#setUp(tap, tap.mac);
  }

  keep(macs: readonly MacAddress[]): void {
    for (const mac of macs) this.#coming.delete(mac);
  }

  undo(macs: readonly MacAddress[]): void {
    const there = this.#found();
    for (const mac of macs) {
      const setUp = this.#coming.get(mac);
      this.#coming.delete(mac);
      if (setUp && there.some(({ index, up }) => index === setUp.index && up)) this.#takeBack(setUp);
    }
  }

  #found(): Link[] {
    const links = this.#parts.links();
    const bases = basesOf(links, this.#parts.uplink());
    return links.filter(
      ({ kind, lower }) =>
        kind !== null && kinds.has(kind) && lower?.namespace === null && bases.has(lower.index),
    );
  }

  #setUp({ index, name }: Link, mac: MacAddress): void {
    const { setUp, setParameter, log } = this.#parts;
    try {
      const before = silent(name).flatMap(([parameter, value]) => {
        const was = setParameter(parameter, value);
        return was === null ? [] : [[parameter, was] as const];
      });
      setUp(name, true);
      this.#coming.set(mac, { index, name, before });
      log('info', `${name}: set up for the VM with ${mac}, which is on its way`);
    } catch (error) {
      // it may have gone; one that stays and cannot be had is worth one line
      if (!this.#failed.has(index)) log('warn', `${name}: cannot be set up: ${(error as Error).message}`);
      this.#failed.add(index);
    }
  }

  #takeBack({ name, before }: SetUp): void {
    const { setUp, setParameter, log } = this.#parts;
    try {
      setUp(name, false);
      for (const [parameter, value] of before) setParameter(parameter, value);
      log('info', `${name}: down again, as its VM does not come`);
    } catch (error) {
      log('warn', `${name}: ${(error as Error).message}`);
    }
  }
}

/** The uplink, and the bond or team that it is a member of. */
function basesOf(links: readonly Link[], uplink: number): Set<number> {
  const bases = new Set<number>();
  for (let index: number | null = uplink; index !== null && !bases.has(index);) {
    bases.add(index);
    index = links.find((link) => link.index === index)?.master ?? null;
  }
  return bases;
}
