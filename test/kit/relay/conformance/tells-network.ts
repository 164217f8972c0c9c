import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseVid } from '../../../../src/domain/vid.ts';
import { ethernet, rarp } from '../frames.ts';
import { at, network } from '../states.ts';
import { a, hex, ports, type Bench } from './bench.ts';

export function tellsNetwork({ exchange, relay, set }: Bench): void {
  it('tells the network in a VLAN by its active port, tagged as frames leave there, and counts nothing', async () => {
    set(
      { 1: { active: at('s1'), policy: { mirror: { session: 'x', direction: 'both' } } } },
      { ...ports, n1: network(20, 10), n2: network(40, 10), m1: { kind: 'mirror', session: 'x' } },
    );
    const before = relay().counters();
    relay().tellNetwork(parseVid(10), rarp(a));
    const out = await exchange('s1');
    assert.deepEqual(
      new Map(Array.from(out, ([port, frames]) => [port, frames.map(hex)])),
      new Map([['n1', [hex(ethernet('ff:ff:ff:ff:ff:ff', a, 0x8035, rarp(a).subarray(14), 10))]]]),
    );
    relay().tellNetwork(parseVid(40), rarp(a));
    assert.deepEqual((await exchange('s1')).get('n2')?.map(hex), [hex(rarp(a))]);
    assert.deepEqual(relay().counters(), before);
    relay().tellNetwork(parseVid(30), rarp(a));
    assert.equal((await exchange('s1')).size, 0, 'nobody carries VLAN 30');
  });
}
