import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Timestamp } from '../../domain/migration.ts';
import { now } from '../../linux/clock.ts';
import { inNamespace } from '../../linux/net/namespace.ts';
import { PacketSocket, type ClassicBpf } from '../../linux/net/packet-socket.ts';
import { StreamAccount } from './accounting.ts';
import {
  decodeAnswer,
  decodeBeacon,
  decodeProbe,
  encodeProbe,
  encodeQuery,
  intervalUs,
  vmPort,
} from './datagram.ts';
import { Pace } from './pace.ts';
import type { PeerCommand, PeerReport, PeerTask } from './peer.ts';
import { startTicker } from './ticker.ts';

// The outside peer's end of the streams: a process in the peer's namespace, run by peer.ts. Its argument is a PeerTask
// in JSON; it reads PeerCommands, one a line, and prints PeerReports.

const { link, address, entries, exits } = JSON.parse(process.argv[2]!) as PeerTask;
const drainMs = 250;
const askAgainMs = 50;
const askTimes = 100;
/** a peer that was starved for longer does not flood the network for it */
const mostOwed = 100;
/** Ethernet, IPv4 without options, UDP */
const payloadOffset = 14 + 20 + 8;

const run = BigInt(now());
const account = new StreamAccount(run, exits.length);
const socket = createSocket('udp4');
socket.bind();
await once(socket, 'listening');
socket.on('error', () => {}); // an unreachable VM is what this is here to measure

type Hear = (payload: Uint8Array, at: Timestamp) => void;
const sockets: PacketSocket[] = [];
let ready = false;
const ownPort = socket.address().port;
hear(open(link, ownPort), (payload, at) => {
  const answer = decodeAnswer(payload);
  if (answer) account.answered(answer);
  const beacon = decodeBeacon(payload);
  if (beacon) account.beaconReceived(beacon, at);
  if (ready || !account.flows) return;
  ready = true;
  report({ kind: 'flowing' });
});
for (const entry of entries)
  hear(
    inNamespace(entry.namespace, () => open(entry.link, ownPort)),
    (payload, at) => {
      const beacon = decodeBeacon(payload);
      if (beacon) account.beaconEntered(beacon, at);
    },
  );
for (const [by, exit] of exits.entries())
  hear(
    inNamespace(exit.namespace, () => open(exit.link, vmPort)),
    (payload, at) => {
      const probe = decodeProbe(payload);
      if (probe) account.probeLeft(probe, { by, at });
    },
  );

let quiet = false;
const pace = new Pace(performance.now(), intervalUs / 1000, mostOwed);
let next = 0;
const stopSending = startTicker(intervalUs / 1000, () => {
  for (let due = pace.due(performance.now()); due > 0; due--) {
    const at = now();
    const sequence = next++;
    socket.send(encodeProbe({ sequence, run, quiet }), vmPort, address, (error) => {
      if (!error) account.probeSent(sequence, at);
    });
  }
});

const commands = createInterface(process.stdin);
for await (const line of commands)
  switch (line as PeerCommand) {
    case 'quiet':
      quiet = true;
      break;
    case 'end':
      stopSending();
      await sleep(drainMs);
      report({ kind: 'ended' });
      break;
    case 'count':
      await ask();
      report({ kind: 'result', result: account.result() });
      break;
  }
stopSending();
for (const each of sockets) each.close();
socket.close();
process.stdin.destroy();

/** Asks the VM which probes it has received, until it has answered. */
async function ask(): Promise<void> {
  for (let times = 0; account.unasked.length > 0; times++) {
    if (times === askTimes) fail(`the VM at ${address} does not answer`);
    for (const from of account.unasked) socket.send(encodeQuery({ from, run }), vmPort, address, () => {});
    await sleep(askAgainMs);
  }
}

function open(name: string, port: number): PacketSocket {
  return new PacketSocket(name, { filter: udpTo(port), snapLength: 1200, receiveBuffer: 1 << 22 });
}

function hear(from: PacketSocket, listener: Hear): void {
  sockets.push(from);
  from.listen(
    (frame, receivedAt) =>
      listener(frame.subarray(payloadOffset), Math.round(Number(receivedAt / 100n) / 10)),
    fail,
  );
}

function report(message: PeerReport): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function fail(error: unknown): never {
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
