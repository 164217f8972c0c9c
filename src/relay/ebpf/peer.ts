import { execFileSync } from 'node:child_process';
import { RelayError, type PortName } from '../contract/relay.ts';

/** What `ip` says of a veth, as far as it matters here. */
interface Veth {
  readonly ifname: PortName;
  /** the peer's namespace, if that is another */
  readonly link_netnsid?: number;
}

/** The kernel drops what it is to hand to the other end of anything else. @throws RelayError */
export function checkPeers(ports: readonly PortName[]): void {
  if (!ports.length) return;
  const veths = new Map(shownVeths().map((veth) => [veth.ifname, veth]));
  for (const port of ports) {
    const fail = (what: string) => {
      throw new RelayError(
        `port ${port}: peer delivery: ${what}; a veth whose peer is in another namespace would be right`,
      );
    };
    const veth = veths.get(port);
    if (!veth) fail('its interface is no veth');
    if (veth?.link_netnsid === undefined) fail('the peer of its veth is in the same namespace');
  }
}

/** Those of this thread's namespace. */
function shownVeths(): Veth[] {
  const args = ['-json', '-details', 'link', 'show', 'type', 'veth'];
  try {
    const shown = execFileSync('ip', args, { stdio: 'pipe', maxBuffer: Infinity }).toString();
    return JSON.parse(shown || '[]') as Veth[];
  } catch (error) {
    const { code, stderr } = error as { readonly code?: string; readonly stderr?: Buffer };
    const why = code === 'ENOENT' ? 'the program "ip" is missing' : String(stderr).trim().split('\n')[0];
    throw new RelayError(`peer delivery: ${why}`);
  }
}
