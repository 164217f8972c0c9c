import type { MacAddress } from '../../domain/mac-address.ts';
import { parseVsiId, type VsiId } from '../../domain/vsi-id.ts';
import type { Grant } from '../../domain/vsi.ts';
import type { BridgeAgent } from '../core/agent.ts';
import type { Directory } from '../core/directory.ts';

/** The VMs' names, by which people know VSIs. */
export class VmNames {
  readonly #agent: BridgeAgent;
  readonly #directory: Directory;

  constructor(agent: BridgeAgent, directory: Directory) {
    this.#agent = agent;
    this.#directory = directory;
  }

  /** Of a VSI that is here; null where it is not, or its name is not known. */
  of(vsiId: VsiId): string | null {
    const declared = this.#agent.hosts.get(vsiId);
    if (declared) return `host at ${declared.port}`;
    const entry = this.#agent.entries.get(vsiId);
    return (entry && this.#directory.known(vsiId, entry.profile)?.grant?.name) ?? null;
  }

  /** Who is granted an address, wherever he may be. */
  owner(mac: MacAddress): Grant | undefined {
    return this.#directory.owners(mac)[0];
  }

  /** The VSIs here that a VSIID or a VM's name stands for. */
  here(text: string): VsiId[] {
    const vsiId = idIn(text);
    if (vsiId !== null) return this.#agent.entries.has(vsiId) ? [vsiId] : [];
    return [...this.#agent.entries.keys()].filter((each) => this.of(each) === text);
  }
}

/** The VSIID that a text is; null for a name. */
export function idIn(text: string): VsiId | null {
  try {
    return parseVsiId(text);
  } catch {
    return null;
  }
}

const mentioned = /\bVSI ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?! \()/g;

/** A message with the VM's name behind each VSI that it names by its VSIID alone. */
export function withNames(message: string, directory: Directory): string {
  return message.replaceAll(mentioned, (vsi: string, vsiId: VsiId) => {
    const name = directory.nameOf?.(vsiId);
    return name === undefined ? vsi : `${vsi} (${name})`;
  });
}
