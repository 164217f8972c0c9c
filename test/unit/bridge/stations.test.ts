import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { rememberedStations } from '../../../src/bridge/knowledge/station-file.ts';
import { parseMac } from '../../../src/domain/mac-address.ts';
import type { PortIdentity } from '../../../src/protocol/signed/identity.ts';
import type { Neighbour } from '../../../src/protocol/lldp/neighbour.ts';
import { temporaryDirectory } from '../../kit/manager/support.ts';
import { outside, TestNetwork } from '../../kit/bridge/network.ts';

const mac = parseMac('02:00:00:00:02:01');
const neighbourOf = (network: TestNetwork) => network.bridge.portStates()[0]!.state.neighbour?.mac;

test('a VM that speaks LLDP first after a restart of the agent is not the station', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  network.restartBridge();
  network.secondStation('p1');
  assert.equal(neighbourOf(network), undefined);
  network.pass(40_000);
  assert.equal(neighbourOf(network), mac);
  assert.equal(network.speaks('p1'), true);
});

test('without VSIs, a station that has said good-bye, or whose link was down, has no place to come back to', () => {
  for (const leaves of [
    (network: TestNetwork) => {
      network.stations.p1.stop();
      network.pass(1);
    },
    (network: TestNetwork) => {
      network.bridge.linkChanged('p1', 'down');
      network.stations.p1.linkChanged(false);
    },
  ]) {
    const network = new TestNetwork();
    leaves(network);
    network.restartBridge();
    network.secondStation('p1');
    assert.equal(neighbourOf(network), outside, leaves.toString());
  }
});

test('an agent that ends has its stations for the next, and one that ends later too', () => {
  const network = new TestNetwork();
  network.bridge.stop();
  for (let run = 0; run < 2; run++) {
    network.restartBridge();
    network.secondStation('p1');
    assert.equal(neighbourOf(network), undefined);
  }
});

const h1 = { mac, systemName: 'h1' } as Neighbour;
const file = (directory: string) => join(directory, 'stations.json');

/** What is remembered of p1 and p2, and what was warned of. */
function remembered(directory: string, ports = ['p1', 'p2']) {
  const warnings: string[] = [];
  const { stations, close } = rememberedStations(directory, ports, (message) => warnings.push(message));
  return { stations, close, warnings };
}

test('stations are remembered in a file, of the ports that there are', () => {
  const directory = temporaryDirectory();
  const { stations, close } = remembered(directory);
  assert.equal(stations.met('p1', h1), true);
  assert.equal(stations.met('p1', h1), false);
  const place = { mac, id: '01' as PortIdentity, name: 'h1', key: '0123456789abcdef' };
  const verified = [{ fingerprint: '0123456789abcdef', epoch: 7, sequence: 42 }];
  stations.held('p1', { place, verified });
  stations.met('p2', { ...h1, systemName: null });
  stations.held('p3', { place, verified });
  close();
  assert.deepEqual(readdirSync(directory), ['stations.json'], 'and no half of one beside it');
  const again = remembered(directory);
  assert.deepEqual(again.stations.at('p1'), { mac, name: 'h1', place, verified });
  assert.deepEqual(again.stations.at('p2'), { mac, name: null, place: null, verified: [] });
  assert.deepEqual(again.warnings, []);
  assert.equal(again.stations.at('p3'), null, 'nobody was met there');
  const fewer = remembered(directory, ['p1']);
  assert.equal(fewer.stations.at('p2'), null);
});

test('what was verified is in the file at once: an agent that is killed takes no frame for new that it had taken', () => {
  const directory = temporaryDirectory();
  const { stations } = remembered(directory);
  stations.met('p1', h1);
  for (const sequence of [42, 43]) {
    const verified = [{ fingerprint: '0123456789abcdef', epoch: 7, sequence }];
    stations.held('p1', { place: null, verified });
    assert.deepEqual(remembered(directory).stations.at('p1')?.verified, verified);
  }
});

test('of a file of an older version, or a newer one, what is known is read', () => {
  const directory = temporaryDirectory();
  writeFileSync(file(directory), `{"p1":{"mac":"${mac}","name":"h1","pinned":true}}`);
  const { stations, warnings } = remembered(directory);
  assert.deepEqual(stations.at('p1'), { mac, name: 'h1', place: null, verified: [] });
  assert.deepEqual(warnings, []);
});

test('a file that is not ours, or half a file, is started without, and replaced', () => {
  const directory = temporaryDirectory();
  for (const text of ['', '{"p1":', '[]', '{"p1":{"mac":"x","name":"h1"}}', '{"p1":null}']) {
    writeFileSync(file(directory), text);
    const { stations, close, warnings } = remembered(directory);
    assert.equal(stations.at('p1'), null);
    assert.deepEqual(warnings, [`${file(directory)} is not what was kept there; starting without`]);
    stations.met('p1', h1);
    close();
    assert.match(readFileSync(file(directory), 'utf8'), /"h1"/);
  }
});

test('a file that cannot be written is warned of, and stops nothing', () => {
  const { stations, close, warnings } = remembered(join(temporaryDirectory(), 'gone'));
  stations.met('p1', h1);
  close();
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /stations\.json cannot be written: ENOENT/);
  assert.equal(stations.at('p1')?.name, 'h1');
});
