import assert from 'node:assert/strict';
import { closeSync, readSync } from 'node:fs';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { macToBytes, parseMac } from '../../src/domain/mac-address.ts';
import { Macvtap } from '../../src/lab/guest/macvtap.ts';
import { interfaceIndex, setInterfaceUp } from '../../src/linux/net/interfaces.ts';
import { readLinks } from '../../src/linux/net/links.ts';
import { createNamespace, deleteNamespace, inNamespace } from '../../src/linux/net/namespace.ts';
import { PacketSocket } from '../../src/linux/net/packet-socket.ts';
import { ip } from '../../src/linux/run.ts';
import { changeNetworkParameter } from '../../src/linux/net/sysctl.ts';
import { HostTaps } from '../../src/station/taps.ts';

const [host, outside] = [`hp-taps${process.pid}`, `hp-tapx${process.pid}`];
const [mac, late, other] = ['52:54:00:00:0a:01', '52:54:00:00:0a:02', '52:54:00:00:0a:03'].map(parseMac) as [
  ReturnType<typeof parseMac>,
  ReturnType<typeof parseMac>,
  ReturnType<typeof parseMac>,
];
const logged: string[] = [];
let isOn = true;
let taps: HostTaps;
let tap: Macvtap;

before(async () => {
  for (const namespace of [host, outside]) await createNamespace(namespace);
  await ip(outside, [`link add p0 type veth peer name up0 netns ${host}`, 'link set p0 up']);
  await ip(host, ['link set up0 up', 'link add x0 type veth peer name x1', 'link set x0 up']);
  tap = await Macvtap.create(host, 'up0', 'mv1', mac);
  inNamespace(host, () => {
    for (const parameter of ['ipv4/conf/mv1/arp_notify', 'ipv6/conf/mv1/ndisc_notify'])
      changeNetworkParameter(parameter, 1);
  });
  await ip(host, [`link add link x0 name mv2 address ${other} type macvlan mode vepa`]);
  const index = inNamespace(host, () => interfaceIndex('up0'));
  taps = new HostTaps({
    uplink: () => index,
    links: () => inNamespace(host, readLinks),
    setUp: (name, up) => inNamespace(host, () => setInterfaceUp(name, up)),
    setParameter: (name, value) => inNamespace(host, () => changeNetworkParameter(name, value)),
    isOn: () => isOn,
    log: (_, message) => logged.push(message),
  });
});

after(async () => {
  for (const namespace of [host, outside]) await deleteNamespace(namespace);
});

function isUp(name: string): boolean {
  return inNamespace(host, readLinks).some((link) => link.name === name && link.up);
}

function parameters(name: string): (number | null)[] {
  return inNamespace(host, () =>
    [`ipv6/conf/${name}/disable_ipv6`, `ipv4/conf/${name}/arp_notify`, `ipv6/conf/${name}/ndisc_notify`].map(
      (parameter) => {
        const value = changeNetworkParameter(parameter, 0);
        if (value) changeNetworkParameter(parameter, value);
        return value;
      },
    ),
  );
}

it('an armed VM’s macvtap is set up silent, and what comes waits in it, in order', async () => {
  const fd = await tap.open(`/run/hp-taps${process.pid}`); // QEMU has it from its start on
  assert.equal(taps.ready([mac]), false);
  taps.prepare([mac]);
  assert.equal(taps.ready([mac]), true);
  assert.deepEqual([isUp('mv1'), parameters('mv1')], [true, [1, 0, 0]]);
  const sender = inNamespace(outside, () => new PacketSocket('p0'));
  const frame = (n: number) =>
    Uint8Array.from([...macToBytes(mac), ...macToBytes(other), 0x88, 0xb5, n, ...Array<number>(45).fill(0)]);
  for (let n = 0; n < 20; n++) sender.send(frame(n));
  sender.close();
  await sleep(50);
  const numbers: number[] = [];
  const buffer = new Uint8Array(2000);
  try {
    // a macvtap puts a vnet header of 10 octets before the frame
    for (;;) {
      const length = readSync(fd, buffer);
      if (buffer[10 + 12] === 0x88 && buffer[10 + 13] === 0xb5 && length > 24) numbers.push(buffer[24]!);
    }
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
  } finally {
    closeSync(fd);
  }
  assert.deepEqual(numbers, [...Array(20).keys()]);
});

it('it is down again, and says what it said before, if the VM does not come', () => {
  taps.undo([mac]);
  assert.deepEqual([isUp('mv1'), parameters('mv1')], [false, [1, 1, 1]]);
  taps.undo([mac]);
  assert.match(logged.join('\n'), /^mv1: set up for .*\nmv1: down again, as its VM does not come$/);
});

it('one that was up already, or whose VM came, stays up', () => {
  inNamespace(host, () => setInterfaceUp('mv1', true));
  taps.prepare([mac]);
  taps.undo([mac]);
  assert.equal(isUp('mv1'), true);
  inNamespace(host, () => setInterfaceUp('mv1', false));
  taps.prepare([mac]);
  taps.keep([mac]);
  taps.undo([mac]);
  assert.equal(isUp('mv1'), true);
  inNamespace(host, () => setInterfaceUp('mv1', false));
});

it('one that is made later is set up when it is there', async () => {
  assert.equal(taps.ready([late]), true, 'it has none that the station could wait for');
  taps.prepare([late]);
  await ip(host, [`link add link up0 name mv3 address ${late} type macvlan mode vepa`]);
  assert.deepEqual([taps.ready([late]), taps.isWaiting], [false, true]);
  taps.prepare([late]);
  assert.deepEqual([isUp('mv3'), parameters('mv3')], [true, [1, 0, 0]]);
});

it('one on another interface, or against the administrator’s will, is left alone', () => {
  taps.prepare([other]);
  assert.equal(isUp('mv2'), false);
  isOn = false;
  taps.prepare([mac]);
  assert.deepEqual([isUp('mv1'), taps.ready([mac])], [false, false]);
});
