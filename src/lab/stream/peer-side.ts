import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Timestamp } from '../../domain/migration.ts';
import { now } from '../../linux/clock.ts';
import { inNamespace } from '../../linux/namespace.ts';
import { PacketSocket, type ClassicBpf } from '../../linux/packet-socket.ts';
import { StreamAccount } from './accounting.ts';
import { decodeBeacon, encodeProbe, intervalUs, vmPort, type Beacon } from './datagram.ts';
import { Pace } from './pace.ts';
import type { PeerReport } from './peer.ts';
import { startTicker } from './ticker.ts';

// The outside peer's end of the streams: a process in the peer's namespace, run by peer.ts.
//   peer-side LINK ADDRESS [NAMESPACE LINK]...    streams with the VM at ADDRESS; LINK is where its frames come in.
//       The others are where they enter the network, and only looked at.
// Prints a PeerReport as a line of JSON when both streams flow and one when a line or the end was read from stdin.

const [link, address, ...entries] = process.argv.slice(2) as [string, string, ...string[]];
const drainMs = 250;
/** a peer that was starved for longer does not flood the network for it */
const mostOwed = 100;
/** Ethernet, IPv4 without options, UDP */
const payloadOffset = 14 + 20 + 8;

const run = BigInt(now());
const account = new StreamAccount(run);
const socket = createSocket('udp4');
socket.bind();
await once(socket, 'listening');
socket.on('error', () => {}); // an unreachable VM is what this is here to measure

const filter = udpTo(socket.address().port);
const open = (name: string) => new PacketSocket(name, { filter, snapLength: 128, receiveBuffer: 1 << 22 });

const sockets = [open(link)];
let ready = false;
hear(sockets[0]!, (beacon, at) => {
  account.beaconReceived(beacon, at);
  if (ready || !account.flows) return;
  ready = true;
  report({ kind: 'flowing' });
});
for (let i = 0; i + 1 < entries.length; i += 2) {
  const entry = inNamespace(entries[i]!, () => open(entries[i + 1]!));
  hear(entry, (beacon, at) => account.beaconEntered(beacon, at));
  sockets.push(entry);
}

const pace = new Pace(performance.now(), intervalUs / 1000, mostOwed);
let sequence = 0;
const stopSending = startTicker(intervalUs / 1000, () => {
  for (let due = pace.due(performance.now()); due > 0; due--) {
    const at = now();
    socket.send(encodeProbe({ sequence: sequence++, run }), vmPort, address, (error) => {
      if (!error) account.probeSent(at);
    });
  }
});

const commands = createInterface(process.stdin);
await Promise.race([once(commands, 'line'), once(commands, 'close')]);
stopSending();
await sleep(drainMs);
for (const each of sockets) each.close();
socket.close();
commands.close();
report({ kind: 'result', result: account.result() });
process.stdin.destroy();

function hear(from: PacketSocket, listener: (beacon: Beacon, at: Timestamp) => void): void {
  from.listen((frame, receivedAt) => {
    const beacon = decodeBeacon(frame.subarray(payloadOffset));
    if (beacon) listener(beacon, Math.round(Number(receivedAt / 100n) / 10));
  }, fail);
}

function report(message: PeerReport): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function fail(error: unknown): void {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
}

function udpTo(port: number): ClassicBpf {
  return [
    [0x28, 0, 0, 12], // EtherType
    [0x15, 0, 5, 0x0800],
    [0x30, 0, 0, 23], // protocol
    [0x15, 0, 3, 17],
    [0x28, 0, 0, 36], // destination port
    [0x15, 0, 1, port],
    [0x06, 0, 0, 0xffff],
    [0x06, 0, 0, 0],
  ];
}
