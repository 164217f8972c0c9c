import { CommandError, run } from '../run.ts';

/** An interface of this namespace, as far as it matters to which others a frame that enters it gets. */
export interface StackedLink {
  readonly name: string;
  /** the interface that it stands on, of this namespace; null: none */
  readonly lower: string | null;
  /** the bridge, bond or team that it is a member of */
  readonly master: string | null;
  /** of a VLAN interface */
  readonly vlan: number | null;
}

/** The interface by which this namespace sends to an IP address; null: there is no route. @throws CommandError without `ip` */
export async function interfaceTowards(address: string): Promise<string | null> {
  try {
    const [route] = JSON.parse(await run('ip', ['-json', 'route', 'get', address])) as { dev?: string }[];
    return route?.dev ?? null;
  } catch (error) {
    if (error instanceof CommandError && /RTNETLINK|unreachable/.test(error.message)) return null;
    throw error;
  }
}

/** @throws CommandError without `ip` */
export async function stackedLinks(): Promise<StackedLink[]> {
  interface Shown {
    readonly ifname: string;
    readonly link?: string | null;
    readonly link_netnsid?: number;
    readonly master?: string;
    readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: { readonly id?: number } };
  }
  const links = JSON.parse(await run('ip', ['-json', '-details', 'link', 'show'])) as Shown[];
  return links.map(({ ifname, link, link_netnsid, master, linkinfo }) => ({
    name: ifname,
    // of a veth it is its peer
    lower: link_netnsid === undefined && linkinfo?.info_kind !== 'veth' ? (link ?? null) : null,
    master: master ?? null,
    vlan: linkinfo?.info_kind === 'vlan' ? (linkinfo.info_data?.id ?? null) : null,
  }));
}
