import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  createQuietNamespace,
  deleteNamespace,
  inNamespace,
  nsenter,
} from '../../src/linux/net/namespace.ts';
import { ip, run } from '../../src/linux/run.ts';
import type { RelayPort } from '../../src/relay/contract/relay.ts';
import { EbpfRelay } from '../../src/relay/ebpf/relay.ts';
import { at, idOf, macOf, state, station } from '../kit/relay/states.ts';

const octets = 50_000_000;
const receive = `
  let got = 0;
  const server = require('node:net').createServer((socket) => {
    socket.on('data', (data) => { got += data.length; });
    socket.on('end', () => { socket.end(); console.log(got); server.close(); });
  }).listen(7000, '10.0.0.2');`;
const send = `
  const connect = () => {
    const socket = require('node:net').connect(7000, '10.0.0.2', () => socket.end(Buffer.alloc(${octets}, 1)));
    socket.on('error', () => setTimeout(connect, 50)).resume();
  };
  connect();`;

describe('TCP through the eBPF relay', () => {
  const prefix = `hp-tcp-${process.pid}`;
  const directory = mkdtempSync(join(tmpdir(), 'hp-relay-'));
  const [bridge, ...hosts] = [`${prefix}-sw`, `${prefix}-h1`, `${prefix}-h2`];
  let relay: EbpfRelay;

  before(async () => {
    for (const name of [bridge, ...hosts]) await createQuietNamespace(name);
    for (const [i, host] of hosts.entries()) {
      await ip(bridge, [
        `link add s${i + 1} type veth peer name eth0 netns ${host}`,
        `link set s${i + 1} up`,
      ]);
      await ip(host, [`link set eth0 address ${macOf(i + 1)} up`, `address add 10.0.0.${i + 1}/24 dev eth0`]);
    }
    relay = inNamespace(bridge, () =>
      EbpfRelay.open(join(directory, 'pins'), (error) => assert.fail(String(error))),
    );
  });
  after(async () => {
    inNamespace(bridge, () => relay.destroy());
    for (const name of [bridge, ...hosts]) await deleteNamespace(name);
    rmSync(directory, { recursive: true });
  });

  const cases: [string, RelayPort][] = [
    ['passes whole super-frames, with what the sender left to the hardware still to be done', station],
    [
      'does so past the ports, to their peers',
      { kind: 'station', reflectiveRelay: true, peerDelivery: true },
    ],
  ];
  for (const [what, port] of cases)
    it(what, async () => {
      inNamespace(bridge, () => {
        relay.apply(state({}));
        relay.apply(state({ s1: port, s2: port }, { 1: { active: at('s1') }, 2: { active: at('s2') } }));
      });
      const node = (script: string): [string, ...string[]] => [process.execPath, '-e', script];
      const [server, client] = [nsenter(hosts[1], node(receive)), nsenter(hosts[0], node(send))];
      const received = run(server[0], server.slice(1));
      await run(client[0], client.slice(1));
      assert.equal(Number(await received), octets);
      const { fromVm, dropped } = relay.counters().vsis.get(idOf(1))!.get('s1')!;
      assert.ok(fromVm.octets > octets);
      assert.ok(fromVm.octets / fromVm.frames > 3000, `${fromVm.octets / fromVm.frames} octets per frame`);
      assert.equal(dropped.error, 0);
    });
});
