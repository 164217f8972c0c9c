import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nsenter } from '../../src/linux/net/namespace.ts';
import { hairpin } from '../kit/cli/hairpin.ts';
import { Wires } from '../kit/kernel/lldpad-harness.ts';
import { links, StationAgent } from '../kit/kernel/vm-filter-harness.ts';

test('a second station agent on an uplink is refused, until the first is gone, however it went', async () => {
  await using wires = await Wires.lay();
  const host = wires.host('p1');
  await links(host, 'link add other type veth peer name far', 'link set other up', 'link set far up');
  const first = new StationAgent(wires, host);
  await first.start();

  const config = (uplink: string) => {
    const path = join(wires.directory, `second-${uplink}.yaml`);
    const manager = `unix:${join(wires.directory, 'none.sock')}`;
    const control = join(wires.directory, `second-${uplink}.sock`);
    writeFileSync(path, JSON.stringify({ name: 'h2', uplink, manager, control }));
    return ['station', '--config', path];
  };
  const refused = await hairpin(config('eth0'), { under: nsenter(host, []) });
  assert.deepEqual(refused, {
    code: 1,
    stdout: '',
    stderr: `hairpin: uplink eth0: a station agent runs there already (pid ${first.pid}, control socket ${first.control}); one for each uplink would be right`,
  });

  await wires.processes.start('another uplink', host, config('other'));
  await wires.processes.start('another host', wires.host('p2'), config('eth0'));
  await wires.processes.stop('another host', 'SIGTERM');

  await first.stop('SIGKILL');
  await wires.processes.start('next', host, config('eth0'));
});
