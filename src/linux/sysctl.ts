import { existsSync, writeFileSync } from 'node:fs';

/** Sets a network parameter ("ipv4/conf/eth0/arp_notify") of this thread's namespace; nothing if the kernel has none. */
export function setNetworkParameter(name: string, value: number): void {
  const path = `/proc/sys/net/${name}`;
  if (existsSync(path)) writeFileSync(path, String(value));
}

/** No IPv6 in this thread's namespace: a switch's port or a host's uplink has nothing of its own to say. */
export function silenceIpv6(): void {
  setNetworkParameter('ipv6/conf/all/disable_ipv6', 1);
  setNetworkParameter('ipv6/conf/default/disable_ipv6', 1);
}
