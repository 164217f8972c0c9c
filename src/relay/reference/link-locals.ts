import { isLinkLocal } from './guards.ts';
import { icmpv6, ipHeaderOf } from './headers.ts';
import type { PortName } from '../contract/relay.ts';
import type { Frame } from './frame.ts';
import { Recent } from './recent.ts';

const mostOfOne = 4;
const mostRouters = 1024;
/** ns: longer than a router is one by a single advertisement (RFC 4861, 6.2.1) */
const routerAge = 9_000_000_000_000n;
const allNodes = '33:33:00:00:00:01';
const routerAdvertisement = 134;

/** The link-local addresses that one VSI speaks for, its newest. */
export class OwnLinkLocals {
  readonly #keys: string[] = [];
  #vlans: ReadonlySet<number> = new Set();

  /** Those that the VSI is in now; in others it speaks for none. */
  set vlans(vlans: ReadonlySet<number>) {
    this.#vlans = vlans;
  }

  has(vlan: number, key: string): boolean {
    return this.#vlans.has(vlan) && this.#keys.includes(key);
  }

  /** @returns the one that it does not speak for any more */
  add(key: string): string | null {
    this.#keys.push(key);
    return this.#keys.length > mostOfOne ? this.#keys.shift()! : null;
  }
}

/**
 * Whose a link-local address is, in each VLAN: theirs who use it first (RFC 6620 has the idea), unless a router outside
 * does. A guest makes its address of its MAC (RFC 4291), which nobody else may use, or of a secret (RFC 7217).
 */
export class LinkLocals {
  readonly #holders = new Map<string, OwnLinkLocals>();
  /** when they last advertised, and where */
  readonly #routers = new Recent<string, { readonly port: PortName; readonly heard: bigint }>(mostRouters);

  /** Whether the address is the VSI's, as it is if nobody else holds it; `given`: it was given it by name. */
  claim(own: OwnLinkLocals, vlan: number, address: Uint8Array, given: boolean, now: bigint): boolean {
    const key = keyOf(vlan, address);
    const holder = this.#holders.get(key);
    if (!given) {
      if (isOfMac(address) || this.#isRouter(key, now)) return false;
      if (holder && holder !== own && holder.has(vlan, key)) return false;
    }
    const oldest = own.has(vlan, key) ? null : own.add(key);
    // or one that uses thousands would fill the table
    if (oldest !== null && this.#holders.get(oldest) === own) this.#holders.delete(oldest);
    this.#holders.set(key, own);
    return true;
  }

  /** What comes from the network: a router there advertises itself. */
  hear(frame: Frame, vlan: number, port: PortName, now: bigint): void {
    if (frame.destination !== allNodes) return;
    const ip = ipHeaderOf(frame);
    if (!ip || ip === 'unreadable' || ip.protocol !== icmpv6 || typeof ip.segment === 'string') return;
    if (ip.segment[0] !== routerAdvertisement || !isLinkLocal(ip.source)) return;
    this.#routers.set(keyOf(vlan, ip.source), { port, heard: now });
  }

  release(own: OwnLinkLocals): void {
    for (const [key, holder] of this.#holders) if (holder === own) this.#holders.delete(key);
  }

  /** Routers that were heard at other ports are forgotten. */
  keepPorts(stays: (port: PortName) => boolean): void {
    for (const [key, { port }] of this.#routers) if (!stays(port)) this.#routers.delete(key);
  }

  #isRouter(key: string, now: bigint): boolean {
    const router = this.#routers.get(key);
    return router !== undefined && now - router.heard < routerAge;
  }
}

function keyOf(vlan: number, address: Uint8Array): string {
  return `${vlan} ${address.join()}`;
}

/** Made of a MAC address (RFC 4291, appendix A), so somebody's already. */
function isOfMac(address: Uint8Array): boolean {
  return address[11] === 0xff && address[12] === 0xfe;
}
