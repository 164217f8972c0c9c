import type { PortName } from '../../relay/contract/relay.ts';

/** One line where ports have different MTUs; null where all have the same. Ports without an interface have none. */
export function differingMtus(
  ports: readonly { readonly name: PortName; readonly mtu: number | undefined }[],
): string | null {
  const byMtu = new Map<number, PortName[]>();
  for (const { name, mtu } of ports) if (mtu !== undefined) byMtu.set(mtu, [...(byMtu.get(mtu) ?? []), name]);
  if (byMtu.size < 2) return null;
  const said = [...byMtu].sort(([a], [b]) => b - a).map(([mtu, names]) => `${names.join(', ')} ${mtu}`);
  return `ports have different MTUs: ${said.join('; ')}. Frames longer than the MTU of the port that they leave by are dropped as mtu`;
}
