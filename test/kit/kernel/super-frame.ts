import { check, libc } from '../../../src/linux/libc.ts';
import { bindPacketSocket, packetFamily, packetLevel } from '../../../src/linux/net/packet-address.ts';

const optionVnetHeader = 15; // PACKET_VNET_HDR of linux/if_packet.h
const needsChecksum = 1; // of linux/virtio_net.h
const udpSegments = 5;

/** Sends UDP over IPv4 (RFC 768) as a guest does that leaves its segmentation to the host. @throws SystemError */
export function sendSuperFrame(name: string, frame: Uint8Array, size: number): void {
  const { socket, close, setsockopt, send } = libc();
  const rawCloexec = 3 | 0o2000000;
  const fd = check(socket(packetFamily, rawCloexec, 0), 'packet socket on', name);
  try {
    check(setsockopt(fd, packetLevel, optionVnetHeader, Uint8Array.of(1, 0, 0, 0), 4), 'setsockopt', name);
    bindPacketSocket(fd, name, 0);
    const bytes = new Uint8Array(10 + frame.length);
    const header = new DataView(bytes.buffer);
    const [udpHeader, payload] = [34, 42];
    bytes.set([needsChecksum, udpSegments]);
    header.setUint16(2, payload, true);
    header.setUint16(4, size, true);
    header.setUint16(6, udpHeader, true);
    header.setUint16(8, 6, true); // where the checksum is, behind udpHeader
    bytes.set(frame, 10);
    check(send(fd, bytes, bytes.length, 0), 'send on', name);
  } finally {
    close(fd);
  }
}
