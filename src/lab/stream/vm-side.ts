import { createSocket, type RemoteInfo } from 'node:dgram';
import { decodeProbe, decodeQuery, encodeAnswer, encodeBeacon, intervalUs, vmPort } from './datagram.ts';
import { Pace } from './pace.ts';
import { startTicker } from './ticker.ts';
import { VmCounters } from './vm-counters.ts';

// The VM's end of the streams, for a VM that is a namespace: a process that is stopped (SIGSTOP) as a VM is. It needs
// to be told nothing: it answers whoever probes it, and falls silent some time after the last probe.

const silenceAfterMs = 30_000;
/** later than this is no late timer but a stop, and a VM does not make up for that */
const mostOwed = 5;

const socket = createSocket('udp4');
const counters = new VmCounters();
const pace = new Pace(performance.now(), intervalUs / 1000, mostOwed);
let peer: RemoteInfo | null = null;
let probedAt = 0;

socket.on('message', (bytes, from) => {
  const query = decodeQuery(bytes);
  const answer = query && counters.answer(query);
  if (answer) socket.send(encodeAnswer(answer), from.port, from.address, () => {});
  const probe = decodeProbe(bytes);
  if (!probe || !counters.receive(probe)) return;
  peer = from;
  probedAt = performance.now();
});
// no route while the VM has no link, no neighbour while the peer is away: lost frames, which the other end counts
socket.on('error', () => {});
socket.bind(vmPort);

startTicker(intervalUs / 1000, () => {
  const now = performance.now();
  let due = pace.due(now);
  if (!peer || counters.quiet || now - probedAt > silenceAfterMs) return;
  while (due-- > 0) socket.send(encodeBeacon(counters.beacon()), peer.port, peer.address, () => {});
});
