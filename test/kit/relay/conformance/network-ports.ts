import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseUnicastMac } from '../../../../src/domain/mac-address.ts';
import { parseVid } from '../../../../src/domain/vid.ts';
import type { HostAccess, RelayPort } from '../../../../src/relay/contract/relay.ts';
import { broadcast, ethernet, plain } from '../frames.ts';
import { at, macOf, network } from '../states.ts';
import { a, b, outside, ports, type Bench } from './bench.ts';

/** The port before, in whichever VLAN it carries, is the active one. */
const two = { ...ports, n1: network(null, 10), n2: network(10, 20) };
const other = macOf(8);
const own = '02:00:00:00:00:05';

function hosted(port: RelayPort, host: Partial<HostAccess>): RelayPort {
  assert.equal(port.kind, 'network');
  return {
    ...port,
    host: { vlan: null, address: parseUnicastMac(own), protocols: [], ...host },
  };
}

export function networkPorts({ dropped, expect, relay, set }: Bench): void {
  describe('of the network ports of a VLAN', () => {
    it('the active one alone sends and is heard, frames of its VSIs and groups alike', async () => {
      set({ 1: { active: at('s1') }, 2: { active: at('s2'), policy: { vlan: 20 } } }, two);
      for (const to of [outside, broadcast])
        await expect('s1', plain(to, a, 'out'), { n1: [plain(to, a, 'out', 10)] });
      await expect('s2', plain(outside, b, 'out'), { n2: [plain(outside, b, 'out', 20)] });
      await expect('n1', plain(a, outside, 'in', 10), { s1: [plain(a, outside, 'in')] });
      for (const to of [a, broadcast, other]) await expect('n2', plain(to, outside, 'twice'), {});
      assert.equal(dropped('standby', { port: 'n2' }), 3);
      await expect('n2', plain(b, outside, 'in', 20), { s2: [plain(b, outside, 'in')] });
      await expect('n1', plain(b, outside, 'not carried', 20), {});
      assert.equal(dropped('vlan', { port: 'n1' }), 1);
    });

    it('nothing goes from one to another, known destination or not', async () => {
      set({ 1: { active: at('s1') }, 2: { armed: at('s2') } }, two);
      for (const to of [other, b]) await expect('n1', plain(to, outside, 'transit', 10), {});
      assert.equal(dropped('unknown-destination', { port: 'n1' }), 2);
      const hello = plain(broadcast, outside, 'hello');
      await expect('n1', plain(broadcast, outside, 'hello', 10), { s1: [hello] });
      assert.deepEqual(
        ['n1', 'n2'].map((name) => relay().counters().ports.get(name)?.framesOut),
        [0, 0],
      );
    });

    it('another one takes over, and what was active stands by', async () => {
      set({ 1: { active: at('s1') } }, two);
      await expect('n1', plain(a, outside, 'learned', 10), { s1: [plain(a, outside, 'learned')] });
      const { n1, n2, ...rest } = two;
      set({ 1: { active: at('s1') } }, { ...rest, n2, n1 });
      await expect('s1', plain(outside, a, 'out'), { n2: [plain(outside, a, 'out')] });
      await expect('n2', plain(a, outside, 'in'), { s1: [plain(a, outside, 'in')] });
      await expect('n1', plain(a, outside, 'late', 10), {});
      assert.equal(dropped('standby', { port: 'n1' }), 1);
      set({ 1: { active: at('s1') } }, { ...rest, n1 });
      await expect('s1', plain(outside, a, 'back'), { n1: [plain(outside, a, 'back', 10)] });
    });
  });

  describe("the switch's own stack", () => {
    it('sees nothing that enters a port, whoever it is for', async () => {
      set({ 1: { active: at('s1') } });
      for (const port of ['s1', 's2', 'n1'])
        for (const to of ['01:80:c2:00:00:00', '01:80:c2:00:00:0e', '01:80:c2:00:00:03', own])
          for (const type of [0x88b5, 0x88cc, 0x8809, 0x888e])
            await expect(port, ethernet(to, outside, type), {});
    });

    it("gets a network port's untagged control frames of the protocols that are named", async () => {
      const frames = { lldp: 0x88cc, lacp: 0x8809, eapol: 0x888e } as const;
      for (const protocol of ['lldp', 'lacp', 'eapol'] as const) {
        set({}, { ...ports, n1: hosted(network(10), { protocols: [protocol] }) });
        for (const type of [0x88b5, ...Object.values(frames)]) {
          const frame = ethernet('01:80:c2:00:00:0e', outside, type);
          await expect('n1', frame, type === frames[protocol] ? { host: [frame] } : {});
          await expect('n1', ethernet('01:80:c2:00:00:0e', outside, type, new Uint8Array(), 10), {});
          await expect('s1', frame, {});
        }
      }
    });

    it('gets in its VLAN what is for its address, and nobody else does, and a copy for groups', async () => {
      const vsis = { 1: { active: at('s1') }, 2: { active: at('s2') } };
      set(vsis, { ...ports, n1: hosted(network(10, 20), { vlan: parseVid(10) }) });
      await expect('n1', plain(own, outside, 'to it'), { host: [plain(own, outside, 'to it')] });
      const hello = plain(broadcast, outside, 'hello');
      await expect('n1', hello, { host: [hello], s1: [hello], s2: [hello] });
      await expect('n1', plain(a, outside, 'to a VM'), { s1: [plain(a, outside, 'to a VM')] });
      await expect('n1', plain(own, outside, 'another VLAN', 20), {});
      await expect('s1', plain(own, a, 'from a VM'), { n1: [plain(own, a, 'from a VM')] });
      assert.equal(dropped('unknown-destination', { port: 'n1' }), 1);
    });

    it('gets a group frame as it came, after copies that are addressed to VMs', async () => {
      const vsis = { 1: { active: at('s1', 7) }, 2: { active: at('s1') }, 3: { active: at('s1', 8) } };
      set(vsis, { ...ports, n1: hosted(network(null, 10), { vlan: parseVid(10) }) });
      await expect('n1', plain(broadcast, outside, 'hello', 0x600a), {
        host: [plain(broadcast, outside, 'hello')], // tells not of its tag
        s1: [
          plain(a, outside, 'hello', 0x6007),
          plain(broadcast, outside, 'hello'),
          plain(macOf(3), outside, 'hello', 0x6008),
        ],
      });
    });

    it('gets it where the port stands by, and where it does not carry the VLAN, which is no drop', async () => {
      const host = { vlan: parseVid(30) };
      set({ 1: { active: at('s1') } }, { ...ports, n1: hosted(network(10), host) });
      for (const to of [own, broadcast]) {
        const frame = plain(to, outside, 'management', 30);
        await expect('n1', frame, { host: [plain(to, outside, 'management')] });
      }
      assert.equal(dropped('vlan', { port: 'n1' }), 0);
      await expect('n1', plain(a, outside, 'no VM is in it', 30), {});
      assert.equal(dropped('vlan', { port: 'n1' }), 1);
      set({}, { ...ports, n1: network(30), n2: hosted(network(30), host) });
      const hello = plain(broadcast, outside, 'standing by');
      await expect('n2', hello, { host: [hello] });
      assert.equal(dropped('standby', { port: 'n2' }), 0);
    });
  });
}
