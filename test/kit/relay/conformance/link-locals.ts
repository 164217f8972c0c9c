import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { unguarded } from '../../../../src/domain/port-profile.ts';
import { discovery, ethernet, ipv6, linkLocalOf } from '../frames.ts';
import { at, type VsiSpec } from '../states.ts';
import { a, b, c, outside, ports, type Bench } from './bench.ts';

const allNodes = '33:33:00:00:00:01';
const [stable, another] = ['fe80::1234:5678:9abc:def0', 'fe80::8765:4321:cba9:fed'];
const routerAddress = 'fe80::1';

const from = (mac: string, address: string) => ethernet(outside, mac, 0x86dd, ipv6(address, 'ff02::fb'));
const detection = (mac: string, address: string) =>
  ethernet(allNodes, mac, 0x86dd, discovery('::', 135, address));
const advertisement = (mac: string, address: string) =>
  ethernet(allNodes, mac, 0x86dd, discovery(address, 136, address));

export function linkLocalAddresses({ set, exchange, dropped, itIfAble }: Bench): void {
  const policy = { guards: { ...unguarded, address: true } };
  const vsis: Record<number, VsiSpec> = {
    1: { active: at('s1'), policy, ips: ['10.0.0.1'] },
    2: { active: at('s2'), policy, ips: ['10.0.0.2'] },
    3: { active: at('s3'), policy: { ...policy, vlan: 20 }, ips: ['10.0.0.3'] },
  };
  const passes = async (port: string, frame: Uint8Array, out = 'n1') =>
    ((await exchange(port, frame)).get(out)?.length ?? 0) === 1;
  const it = (what: string, body: () => Promise<void>) => {
    itIfAble('address guard', what, async () => {
      set(vsis);
      await body();
    });
  };

  describe('a link-local address under the address guard', () => {
    it('is its VM’s who uses it first, and nobody else’s in the VLAN', async () => {
      assert.ok(await passes('s1', from(a, stable)));
      assert.ok(await passes('s1', from(a, stable)));
      assert.ok(!(await passes('s2', from(b, stable))));
      assert.equal(dropped('guard-address', { port: 's2', vsi: 2 }), 1);
      assert.ok(await passes('s3', from(c, stable)), 'in another VLAN it is another address');
    });

    it('is taken by the detection of a duplicate, and by an advertisement', async () => {
      assert.ok(await passes('s1', detection(a, stable)));
      assert.ok(!(await passes('s2', detection(b, stable))));
      assert.ok(await passes('s2', advertisement(b, another)));
      assert.ok(!(await passes('s1', advertisement(a, another))));
      assert.ok(!(await passes('s1', from(a, another))));
    });

    it('of a MAC address is not taken by a VM with another', async () => {
      assert.ok(!(await passes('s1', from(a, linkLocalOf(b)))));
      assert.ok(!(await passes('s1', detection(a, linkLocalOf(outside)))));
      assert.ok(await passes('s2', from(b, linkLocalOf(b))));
    });

    it('of a router outside is not taken, and taken away from a VM', async () => {
      assert.ok(await passes('s1', from(a, routerAddress)));
      await exchange('n1', ethernet(allNodes, outside, 0x86dd, discovery(routerAddress, 134), 10));
      assert.ok(!(await passes('s1', from(a, routerAddress))));
      assert.ok(!(await passes('s2', advertisement(b, routerAddress))));
      assert.ok(await passes('s3', from(c, routerAddress)), 'in another VLAN it is another address');
    });

    it('is a VM’s that was given it by name, whoever has it', async () => {
      assert.ok(await passes('s1', from(a, stable)));
      set({ ...vsis, 2: { ...vsis[2], ips: [stable] } });
      assert.ok(await passes('s2', from(b, stable)));
      assert.ok(!(await passes('s1', from(a, stable))));
    });

    it('is free again when its VSI goes, and when that has used four newer ones', async () => {
      const four = [1, 2, 3, 4].map((n) => `fe80::${n}:0:0:1`);
      assert.ok(await passes('s1', from(a, stable)));
      for (const address of four) assert.ok(await passes('s1', from(a, address)));
      assert.ok(await passes('s2', from(b, stable)));
      assert.ok(!(await passes('s2', from(b, four[0]!))));
      const { 1: _, ...others } = vsis;
      set(others);
      assert.ok(await passes('s2', from(b, four[0]!)));
    });

    it('stays with its VSI when that moves', async () => {
      assert.ok(await passes('s1', from(a, stable)));
      set({ ...vsis, 1: { ...vsis[1], active: at('s3'), released: at('s1') } });
      assert.ok(!(await passes('s2', from(b, stable))));
      assert.ok(await passes('s3', from(a, stable)));
    });

    it('stays with a VSI that is silent while another uses more than any table holds', async () => {
      assert.ok(await passes('s1', from(a, stable)));
      for (let high = 1; high <= 140; high++) {
        const many = Array.from({ length: 1000 }, (_, low) => from(b, `fe80::${high}:${low + 1}:0:1`));
        assert.equal((await exchange('s2', ...many)).get('n1')?.length, many.length);
      }
      assert.ok(!(await passes('s2', from(b, stable))));
      assert.ok(await passes('s1', from(a, stable)));
    });

    it('is free again in a VLAN that its VSI leaves', async () => {
      assert.ok(await passes('s1', from(a, stable)));
      set({ ...vsis, 1: { ...vsis[1], policy: { ...policy, vlan: 30 } } });
      assert.ok(await passes('s2', from(b, stable)));
      set(vsis);
      assert.ok(!(await passes('s1', from(a, stable))));
    });

    it('is not lost by what its VSI used before somebody was given it by name', async () => {
      const others = [1, 2, 3].map((n) => `fe80::${n}:0:0:1`);
      assert.ok(await passes('s1', from(a, stable)));
      set({ ...vsis, 3: { active: at('s3'), policy, ips: [stable] } });
      assert.ok(await passes('s3', from(c, stable)));
      set(vsis);
      assert.ok(await passes('s1', from(a, stable)), 'its holder has gone');
      for (const address of others) assert.ok(await passes('s1', from(a, address)));
      assert.ok(!(await passes('s2', from(b, stable))));
    });

    it('of a router outside is free when the network port is gone that heard it', async () => {
      const { n1, ...stations } = ports;
      const advertised = ethernet(allNodes, outside, 0x86dd, discovery(routerAddress, 134), 10);
      set(vsis, { ...stations, n1: n1!, n2: n1! });
      await exchange('n1', advertised);
      set(vsis, { ...stations, n2: n1! });
      assert.ok(await passes('s1', from(a, routerAddress), 'n2'));
      await exchange('n2', advertised);
      set(vsis, { ...stations, n2: { kind: 'mirror', session: 'x' }, n1: n1! });
      assert.ok(await passes('s1', from(a, routerAddress)), 'a port of another kind is another port');
    });

    it('of a router outside stays its while the port stands by', async () => {
      const { n1, ...stations } = ports;
      set(vsis, { ...stations, n1: n1!, n2: n1! });
      await exchange('n1', ethernet(allNodes, outside, 0x86dd, discovery(routerAddress, 134), 10));
      set(vsis, { ...stations, n2: n1!, n1: n1! });
      assert.ok(!(await passes('s1', from(a, routerAddress), 'n2')));
    });

    it('is none beyond fe80::/64', async () => {
      assert.ok(!(await passes('s1', from(a, 'fe80:0:0:1::1'))));
      assert.ok(!(await passes('s1', from(a, 'fec0::1'))));
    });
  });
}
