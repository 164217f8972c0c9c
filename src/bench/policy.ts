import { plainForwarding, type AccessRule, type Policy } from '../domain/port-profile.ts';
import { parseVid } from '../domain/vid.ts';
import { parseUnicastMac } from '../domain/mac-address.ts';
import { frame, vm, vmNetwork } from './vms.ts';

/** So far beyond what a core can send that it is always paid for and never reached. */
export const rate = { max: 100e9, burst: 2 ** 30 };

const udp = 17;

/**
 * The policy that every contender has to enforce. All rules but the last deny one host's UDP port each and match no
 * frame of the benchmark; the last allows it, and what none matches is denied: a walk goes through to the end. No
 * rules: everything is allowed. Above that, a VM speaks from its own addresses only,
 * and the guards are on.
 */
export function policy(rules: number): Policy {
  const denied = Array.from({ length: Math.max(0, rules - 1) }, (_, i): AccessRule => {
    const { address, port } = deniedHost(i);
    return {
      action: 'deny',
      direction: 'from-vm',
      protocol: udp,
      destination: { address, length: 32 },
      destinationPorts: { from: port, to: port },
    };
  });
  const allowed: AccessRule = { action: 'allow', direction: 'both', destination: vmNetwork };
  return {
    ...plainForwarding,
    vlan: parseVid(10),
    tenant: 'bench',
    rate: { 'from-vm': rate, 'to-vm': rate },
    accessList: { rules: rules ? [...denied, allowed] : [], otherwise: rules ? 'deny' : 'allow' },
    guards: { address: true, dhcpServer: true, routerAdvertisement: true, control: true },
  };
}

/** Whom the i-th rule denies: one in the VMs' network, whom the last rule would allow. */
export function deniedHost(i: number): { readonly address: string; readonly port: number } {
  return { address: `10.255.${i >> 8}.${i & 255}`, port: 1000 + i };
}

/** What must not come through from VM 0 to VM 1: by the policy's guards, by its first rule, and by none of its rules. */
export function forbidden(rules: number): Uint8Array[] {
  const [from, to] = [vm(0), vm(1)];
  const { address, port } = deniedHost(0);
  return [
    frame({ ...from, mac: parseUnicastMac('52:54:00:ff:ff:ff') }, to, 64),
    frame({ ...from, address: to.address }, to, 64),
    ...(rules > 1 ? [frame(from, { ...to, address }, 64, port)] : []),
    ...(rules > 0 ? [frame(from, { ...to, address: '203.0.113.1' }, 64)] : []),
  ];
}
