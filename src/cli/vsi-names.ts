import type { ApiClient } from '../client/client.ts';
import type { Vsi } from '../domain/vsi.ts';
import { parseVsiId, type VsiId } from '../domain/vsi-id.ts';
import { Failure } from '../base/failure.ts';

/** The VSI that a VSIID or a VM's name stands for; null: there is none. @throws Failure for a name of several */
export async function vsiNamed(api: ApiClient, text: string): Promise<Vsi | null> {
  const vsiId = vsiIdIn(text);
  if (vsiId !== null) return (await api.get('vsis', vsiId))?.value ?? null;
  const { items } = await api.list('vsis');
  const [first, ...others] = items.flatMap(({ value }) => (value.name === text ? [value] : []));
  if (first && others.length)
    throw new Failure(
      `VM ${text} has several VSIs: ${[first, ...others].map(describe).join(', ')}; one's VSIID would be right`,
      2,
    );
  return first ?? null;
}

/** "4a1b… (52:54:00:00:00:01, at sw p1)" */
function describe({ vsiId, macs, status }: Vsi): string {
  return `${vsiId} (${macs.join(' ')}${status ? `, at ${status.bridge} ${status.port}` : ''})`;
}

/** The VMs' names, by VSIID. */
export async function vmNames(api: ApiClient): Promise<ReadonlyMap<VsiId, string>> {
  const { items } = await api.list('vsis');
  return new Map(items.map(({ value: { vsiId, name } }) => [vsiId, name]));
}

function vsiIdIn(text: string): VsiId | null {
  try {
    return parseVsiId(text);
  } catch {
    return null;
  }
}
