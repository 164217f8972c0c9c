import { PacketSocket } from '../../../src/linux/net/packet-socket.ts';

/**
 * Sends numbered frames at a steady pace: node relay-sender.ts INTERFACE COUNT INTERVAL-NS FRAME-IN-HEX. The number is
 * in octets 14 to 17. A process of its own, so that the stream does not wait for the test. After a stall it goes on at
 * its pace; at the end it prints how many ns the stream took.
 */
const [name, count, interval, hex] = process.argv.slice(2) as [string, string, string, string];
const frame = Uint8Array.from(Buffer.from(hex, 'hex'));
const view = new DataView(frame.buffer);
const socket = new PacketSocket(name);
const start = process.hrtime.bigint();
let due = start;
for (let i = 0; i < Number(count); i++) {
  while (process.hrtime.bigint() < due);
  due = process.hrtime.bigint() + BigInt(interval);
  view.setUint32(14, i);
  while (!socket.send(frame));
}
console.log(String(process.hrtime.bigint() - start));
socket.close();
