import type { MacAddress } from '../../domain/mac-address.ts';
import type { PortName } from '../contract/relay.ts';
import { Recent } from './recent.ts';

const mostAddresses = 16_384;

interface Learned {
  readonly port: PortName;
  /** in ns */
  readonly seen: bigint;
}

/** Which network port an address was last seen at, in each VLAN. */
export class LearnedAddresses {
  readonly #learned = new Recent<string, Learned>(mostAddresses);

  learn(mac: MacAddress, vlan: number, port: PortName, now: bigint): void {
    this.#learned.set(key(mac, vlan), { port, seen: now });
  }

  /** `ageingTime` in s */
  portOf(mac: MacAddress, vlan: number, now: bigint, ageingTime: number): PortName | null {
    const learned = this.#learned.get(key(mac, vlan));
    return learned && now - learned.seen < BigInt(ageingTime) * 1_000_000_000n ? learned.port : null;
  }

  forget(mac: MacAddress, vlan: number): void {
    this.#learned.delete(key(mac, vlan));
  }

  keepPorts(stays: (port: PortName) => boolean): void {
    for (const [key, { port }] of this.#learned) if (!stays(port)) this.#learned.delete(key);
  }
}

function key(mac: MacAddress, vlan: number): string {
  return `${mac} ${vlan}`;
}
