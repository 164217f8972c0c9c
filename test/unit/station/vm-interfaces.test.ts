import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Link } from '../../../src/linux/net/links.ts';
import { aboveFromElsewhere, aboveUplink } from '../../../src/station/vm-interfaces.ts';

const link = (index: number, name: string, kind: string | null, more: Partial<Link> = {}): Link => ({
  index,
  name,
  mac: null,
  up: true,
  kind,
  lower: null,
  master: null,
  ...more,
});
const on = (index: number, namespace: number | null = null) => ({ lower: { index, namespace } });

/** Names of the VMs' interfaces, and of the one whose egress all of them pass. */
function seen(links: readonly Link[], uplink = 'eth0'): { vms: string[]; trunk: string } | null {
  const above = aboveUplink(links, uplink);
  return above && { vms: above.vms.map(({ name }) => name), trunk: above.trunk.name };
}

describe("which interfaces are VMs'", () => {
  const eth0 = link(2, 'eth0', null);

  it('those that stand on the uplink, or on a VLAN of it, in this namespace', () => {
    const links = [
      eth0,
      link(3, 'eth1', null),
      link(4, 'tap', 'macvtap', on(2)),
      link(5, 'lan', 'macvlan', on(2)),
      link(6, 'ip', 'ipvlan', on(2)),
      link(7, 'other', 'macvtap', on(3)),
      link(8, 'vlan', 'vlan', on(9)),
      link(9, 'sec', 'macsec', on(2)),
      link(10, 'deep', 'macvtap', on(8)),
      link(11, 'foreign', 'macvlan', on(2, 0)),
    ];
    assert.deepEqual(seen(links), { vms: ['tap', 'lan', 'ip', 'deep'], trunk: 'eth0' });
    assert.deepEqual(seen(links, 'eth1'), { vms: ['other'], trunk: 'eth1' });
    assert.equal(seen(links, 'eth9'), null);
  });

  it("not a veth, whose link is its peer, and not what stands on the VM's own interface", () => {
    const links = [link(2, 'eth0', 'veth', on(3)), link(3, 'p1', 'veth', on(2))];
    assert.deepEqual(seen(links), { vms: [], trunk: 'eth0' });
  });

  it('those on the bond that the uplink is a member of, which is where their frames leave', () => {
    const links = [
      link(2, 'eth0', null, { master: 4 }),
      link(3, 'eth1', null, { master: 4 }),
      link(4, 'bond0', 'bond'),
      link(5, 'tap', 'macvtap', on(4)),
    ];
    assert.deepEqual(seen(links), { vms: ['tap'], trunk: 'bond0' });
    assert.deepEqual(seen(links, 'bond0'), { vms: ['tap'], trunk: 'bond0' });
  });

  it('members of the bridge that the uplink is a member of; a tap there is entered by what the VM sends', () => {
    const links = [
      link(2, 'eth0', null, { master: 4 }),
      link(3, 'eth1', null, { master: 4 }),
      link(4, 'br0', 'bridge'),
      link(5, 'tap', 'tun', { master: 4 }),
      link(6, 'pod', 'veth', { master: 4, ...on(2, 3) }),
      link(7, 'lan', 'macvlan', on(4)),
      link(8, 'apart', 'tun', { master: 9 }),
      link(9, 'br1', 'bridge'),
    ];
    const above = aboveUplink(links, 'eth0');
    assert.deepEqual(
      above?.vms.map(({ name, vmSends }) => [name, vmSends]),
      [
        ['tap', 'ingress'],
        ['pod', 'ingress'],
        ['lan', 'egress'],
      ],
    );
    assert.equal(above?.trunk.name, 'br0');
  });

  it('those of other namespaces that stand on something here', () => {
    const links = [
      link(2, 'eth0', 'macvlan', on(2, 7)),
      link(3, 'own', 'macvlan', on(2)),
      link(4, 'third', 'macvlan', on(2, 8)),
      link(5, 'peer', 'veth', on(2, 7)),
      link(6, 'another', 'macvtap', on(3, 7)),
    ];
    assert.deepEqual(
      aboveFromElsewhere(links, 7, new Set([2])).map(({ name }) => name),
      ['eth0'],
    );
  });

  it('members of each other are no endless path', () => {
    const links = [link(2, 'eth0', null, { master: 3 }), link(3, 'a', 'bond', { master: 2 })];
    assert.deepEqual(seen(links), { vms: [], trunk: 'a' });
  });
});
