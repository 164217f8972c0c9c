import { execFileSync } from 'node:child_process';
import { RelayError, type PortName } from '../relay.ts';

/** What `ip` says of a link, as far as it matters here. */
interface Link {
  readonly linkinfo?: { readonly info_kind?: string };
  /** the peer's namespace, if that is another */
  readonly link_netnsid?: number;
}

/** The kernel drops what it is to hand to the other end of anything else. @throws RelayError */
export function checkPeer(port: PortName): void {
  const { linkinfo, link_netnsid: namespace } = linkOf(port);
  const fail = (what: string) => {
    throw new RelayError(
      `port ${port}: peer delivery: ${what}; a veth whose peer is in another namespace would be right`,
    );
  };
  if (linkinfo?.info_kind !== 'veth') fail('its interface is no veth');
  if (namespace === undefined) fail('the peer of its veth is in the same namespace');
}

function linkOf(port: PortName): Link {
  try {
    const shown = execFileSync('ip', ['-json', '-details', 'link', 'show', 'dev', port], { stdio: 'pipe' });
    return (JSON.parse(shown.toString()) as [Link])[0];
  } catch (error) {
    const { code } = error as { readonly code?: string };
    const why = code === 'ENOENT' ? 'the program "ip" is missing' : 'its interface cannot be looked at';
    throw new RelayError(`port ${port}: peer delivery: ${why}`);
  }
}
