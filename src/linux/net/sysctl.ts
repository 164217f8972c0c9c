import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** Sets a network parameter ("ipv4/conf/eth0/arp_notify") of this thread's namespace; nothing if the kernel has none. */
export function setNetworkParameter(name: string, value: number): void {
  const path = `/proc/sys/net/${name}`;
  if (existsSync(path)) writeFileSync(path, String(value));
}

/** As `setNetworkParameter`; returns what it was before, null if the kernel has none. */
export function changeNetworkParameter(name: string, value: number): number | null {
  const path = `/proc/sys/net/${name}`;
  if (!existsSync(path)) return null;
  const before = Number(readFileSync(path, 'utf8'));
  if (before !== value) writeFileSync(path, String(value));
  return before;
}

/** No IPv6 in this thread's namespace: a switch's port or a host's uplink has nothing of its own to say. */
export function silenceIpv6(): void {
  setNetworkParameter('ipv6/conf/all/disable_ipv6', 1);
  setNetworkParameter('ipv6/conf/default/disable_ipv6', 1);
}
