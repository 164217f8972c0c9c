import { inNamespace } from '../../linux/net/namespace.ts';
import { ip, run } from '../../linux/run.ts';
import { setNetworkParameter } from '../../linux/net/sysctl.ts';
import type { MacAddress } from '../../domain/mac-address.ts';

export interface BridgeOptions {
  readonly namespace: string;
  /** by port, the addresses that are there */
  readonly ports: Readonly<Record<string, readonly MacAddress[]>>;
  readonly hairpin?: boolean;
  /** whether IPv4 frames pass through the host's iptables as well (net.bridge.bridge-nf-call-*) */
  readonly netfilter?: boolean;
}

/** A Linux bridge, with the VMs' addresses as static entries. */
export async function makeBridge({ namespace, ports, hairpin, netfilter }: BridgeOptions): Promise<void> {
  inNamespace(namespace, () => {
    for (const table of ['iptables', 'ip6tables', 'arptables'])
      setNetworkParameter(`bridge/bridge-nf-call-${table}`, Number(netfilter ?? false));
  });
  const names = Object.keys(ports);
  await ip(namespace, [
    'link add br0 type bridge',
    'link set dev br0 up',
    ...names.map((name) => `link set dev ${name} master br0`),
  ]);
  const lines = names.flatMap((name) => [
    ...(hairpin ? [`link set dev ${name} hairpin on`] : []),
    ...ports[name]!.map((mac) => `fdb add ${mac} dev ${name} master static`),
  ]);
  await run('bridge', ['-n', namespace, '-batch', '-'], `${lines.join('\n')}\n`);
}
