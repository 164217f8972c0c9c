import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseMac } from '../../src/domain/mac-address.ts';
import { parseProfileKey } from '../../src/domain/profile-ref.ts';
import { systemClock } from '../../src/linux/clock.ts';
import { interfaceAddress } from '../../src/linux/net/interfaces.ts';
import { createQuietNamespace, deleteNamespace, inNamespace } from '../../src/linux/net/namespace.ts';
import { PacketSocket } from '../../src/linux/net/packet-socket.ts';
import { ip } from '../../src/linux/run.ts';
import { Driver } from '../../src/protocol/driver.ts';
import { StationPort, type StationPortOutput } from '../../src/protocol/station-port.ts';
import { LoneBridge } from '../kit/peers/lone-bridge.ts';
import { until } from '../kit/peers/until.ts';
import { evb, filter, vmMac, vsiId } from '../kit/protocol/fixtures.ts';
import { freshStationEvb, Peer } from '../kit/protocol/peer.ts';

test('a port that a second station disabled is back after ip link set down and up, and not before', async () => {
  const namespace = `hp-second-${process.pid}`;
  const directory = mkdtempSync(join(tmpdir(), 'hp-second-'));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rmSync(directory, { recursive: true, force: true }));
  cleanup.defer(() => deleteNamespace(namespace));
  await createQuietNamespace(namespace);
  await ip(namespace, ['link add p1 type veth peer name host', 'link set p1 up', 'link set host up']);

  const bridge = await LoneBridge.start(namespace, directory, {
    ports: { p1: { kind: 'station', secondStation: 'down' } },
    profiles: [{ managerId: 'dc1', typeId: 17, typeVersion: 1, name: 'web', tenant: 'red', vlan: 100 }],
    vsis: [{ vsiId: vsiId(1), name: 'web1', tenant: 'red', macs: [vmMac(1)], profile: 'dc1/17/1' }],
  });
  cleanup.defer(() => bridge.remove());
  const station = async () => (await bridge.port('p1')).station!;

  const socket = inNamespace(namespace, () => new PacketSocket('host'));
  cleanup.defer(() => socket.close());
  const mac = inNamespace(namespace, () => interfaceAddress('host'));
  const host = new Driver<StationPort, StationPortOutput>(
    new StationPort({ mac, systemName: 'host1', portId: 'host', evb }),
    systemClock,
    (output) => void (output.kind === 'send' && socket.send(output.frame)),
  );
  cleanup.defer(() => host.stop());
  socket.listen(
    (frame) => host.receive(frame),
    (error) => assert.fail(String(error)),
  );
  const associates = () =>
    host.do((machine, now) => [
      ...machine.linkUp(now),
      ...machine.request(
        { vsiId: vsiId(1), profile: parseProfileKey('dc1/17/1'), filter: filter(1, 100) },
        'associate',
        now,
      ),
    ]);
  const held = async () => (await station()).vsis.length === 1;
  associates();
  await until('the VSI is associated', held);

  assert.ok(socket.send(new Peer(parseMac('02:00:00:00:00:09')).lldp(freshStationEvb)));
  await until('the port is disabled', async () => (await station()).secondStation?.portDown === true);
  const { link, vsis, neighbour } = await station();
  assert.deepEqual([link, vsis, neighbour], ['down', [], null]);
  assert.ok(bridge.log().some(({ msg }) => /p1 is disabled: 02:00:00:00:00:09 speaks/.test(msg)));

  const ignored = async () => (await station()).counters.ignored['port disabled'] ?? 0;
  host.do((machine, now) => machine.linkDown(now));
  associates();
  await until('the station speaks in vain', async () => (await ignored()) >= 3);
  assert.equal(await held(), false);

  await ip(namespace, ['link set p1 down', 'link set p1 up']);
  host.do((machine, now) => machine.linkDown(now));
  associates();
  await until('the VSI is associated again', held);
  assert.equal((await station()).secondStation, null);
});
