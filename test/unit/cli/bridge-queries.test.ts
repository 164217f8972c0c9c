import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { profile, web1 } from '../../kit/bridge/network.ts';
import { sample, servedBridge } from '../../kit/bridge/served.ts';
import { executable, hairpin } from '../../kit/cli/hairpin.ts';

const directory = mkdtempSync(join(tmpdir(), 'hp-queries-'));
const config = join(directory, 'bridge.yaml');
const control = join(directory, 'control.sock');
let bridge: Awaited<ReturnType<typeof servedBridge>>;

before(async () => {
  writeFileSync(
    config,
    JSON.stringify({
      name: 'sw',
      manager: 'unix:/run/none.sock',
      stateDirectory: directory,
      ports: { p1: { kind: 'station' }, p2: { kind: 'station' } },
    }),
  );
  bridge = await servedBridge(control, {
    ...profile,
    accessList: {
      rules: [{ action: 'deny', direction: 'both', protocol: 6, destinationPorts: { from: 23, to: 23 } }],
      otherwise: 'allow',
    },
  });
  bridge.network.speaks('p1');
  bridge.network.speaks('p2');
  bridge.network.relay.ruleFrames = () => [2, 3];
  bridge.network.bridge.tenantsChanged(
    new Map([['red', { rate: { 'to-vm': { max: 8000, burst: 20_000 } }, guaranteed: null }]]),
  );
});
after(() => {
  bridge.control.close();
  rmSync(directory, { recursive: true });
});

const ask = (...args: string[]) => hairpin(['bridge', ...args, '--config', config]);

it('bridge show has VSIs with their counters, and the limits of tenants', async () => {
  const { code, stdout } = await ask('show', '--port', 'p1');
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`^${web1.vsiId} +web1 +red +100 +p1 +active +1 +60 +0 +0 +0$`, 'm'));
  assert.match(stdout, /^red +- +8000 +-$/m);
});

it('bridge rules has each rule as it is written, with its count', async () => {
  const { code, stdout } = await ask('rules', 'web1');
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `VSI ${web1.vsiId} (web1), profile dc1/17/1
FRAMES  RULE
2       { action: deny, direction: both, protocol: tcp, destinationPorts: "23" }
3       otherwise: allow
`,
  );
  const missing = await ask('rules', 'web2');
  assert.deepEqual(
    [missing.code, missing.stderr],
    [2, 'hairpin: no VSI "web2" is at this bridge; "hairpin bridge show" lists those that are'],
  );
});

it('bridge drops counts by reason', async () => {
  const { code, stdout } = await ask('drops');
  assert.equal(code, 0);
  assert.match(stdout, /^p2 +1 +unassociated +no VSI has this source here$/m);
  const { stdout: json } = await ask('drops', '--vsi', 'web1', '--json');
  assert.deepEqual(JSON.parse(json), {
    ports: [],
    vsis: [{ vsiId: web1.vsiId, vm: 'web1', port: 'p1', dropped: {} }],
  });
  const missing = await ask('drops', '--vsi', 'web2');
  assert.deepEqual([missing.code, missing.stderr.startsWith('hairpin: no VSI "web2" is there')], [2, true]);
});

/** `hairpin bridge drops --follow …`, which sees `samples` dropped frames as soon as it follows. */
async function following(samples: number, ...args: string[]) {
  const child = spawn(executable, ['bridge', 'drops', '--follow', ...args, '--config', config], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const { relay } = bridge.network;
  while (!relay.watchers) await new Promise((resolve) => setImmediate(resolve));
  for (let i = 0; i < samples; i++) relay.dropped(sample({ octets: 60 + i }));
  return { child, output, ended: once(child, 'close').then(([code]: number[]) => code) };
}

const line =
  /^\d\d:\d\d:\d\d\.\d{3} p1 web1 access-list \(denied by the access list\): 52:54:00:00:00:0a > 02:00:00:00:00:99, 0x88b5, 60 octets$/m;

it('bridge drops --follow ends after --count', async () => {
  const { output, ended } = await following(5, '--count', '3', '--json');
  assert.equal(await ended, 0);
  const lines = output.stdout.trim().split('\n');
  assert.deepEqual(
    lines.map((each) => (JSON.parse(each) as { octets: number }).octets),
    [60, 61, 62],
  );
  assert.equal(output.stderr, '');
});

it('bridge drops --follow ends in order at Ctrl-C', async () => {
  const { child, output, ended } = await following(1);
  while (!output.stdout) await once(child.stdout, 'data');
  child.kill('SIGINT');
  assert.equal(await ended, 0);
  assert.match(output.stdout, line);
  assert.equal(output.stderr, '');
  while (bridge.network.relay.watchers) await new Promise((resolve) => setImmediate(resolve));
});

it('bridge drops --follow ends when nobody reads it any more', async () => {
  const { child, output, ended } = await following(1);
  while (!output.stdout) await once(child.stdout, 'data');
  child.stdout.destroy();
  const drip = setInterval(() => bridge.network.relay.dropped(sample()), 5);
  assert.equal(await ended, 0);
  clearInterval(drip);
  assert.equal(output.stderr, '');
});

it('bridge drops --follow ends with the agent, and says so', async () => {
  const { child, output, ended } = await following(1);
  while (!output.stdout) await once(child.stdout, 'data');
  bridge.control.close();
  assert.equal(await ended, 1);
  assert.equal(output.stderr, 'hairpin: the bridge agent has ended\n');
});
