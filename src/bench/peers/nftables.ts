import type { Endpoint } from '../../lab/stream/frames.ts';
import { nsenter } from '../../linux/net/namespace.ts';
import { run } from '../../linux/run.ts';
import { deniedHost } from '../policy.ts';
import { vmNetwork } from '../vms.ts';

/** `list`: a rule for each rule. `sets`: as an expert writes it, one look-up in a verdict map for all. */
export type NftStyle = 'list' | 'sets';

export interface FilterOptions {
  readonly namespace: string;
  /** at least one */
  readonly rules: number;
  readonly style: NftStyle;
  /** the bridge port whose VMs are told apart by these addresses */
  readonly port: string;
  readonly vms: readonly Endpoint[];
}

/** The benchmark's policy, in the bridge family's forward hook. */
export async function filterBridge(options: FilterOptions): Promise<void> {
  const [command, ...args] = nsenter(options.namespace, ['nft', '-f', '-']);
  await run(command, args, ruleset(options));
}

function ruleset({ rules, style, port, vms }: FilterOptions): string {
  const denied = Array.from({ length: rules - 1 }, (_, i) => deniedHost(i));
  const list = denied.map(
    (host) => `ip daddr ${host.address} ip protocol udp udp dport ${host.port} counter drop`,
  );
  const map = denied.map((host) => `${host.address} . udp . ${host.port} : drop`).join(', ');
  const own = vms.map(({ mac, address }) => `${mac} . ${address}`).join(', ');
  const sets = style === 'sets' && denied.length > 0;
  return [
    'table bridge hp {',
    `set vms { type ether_addr . ipv4_addr; elements = { ${own} } }`,
    sets
      ? `map verdicts { type ipv4_addr . inet_proto . inet_service : verdict; elements = { ${map} } }`
      : '',
    'chain forward { type filter hook forward priority 0; policy drop;',
    `iifname != "${port}" accept`,
    'ether saddr . ip saddr != @vms counter drop',
    ...(sets ? ['ip daddr . ip protocol . udp dport vmap @verdicts'] : list),
    `ip daddr ${vmNetwork.address}/${vmNetwork.length} counter accept`,
    '}',
    '}\n',
  ].join('\n');
}
