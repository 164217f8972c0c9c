import { interfaceIndex } from './interfaces.ts';
import { check, libc } from '../libc.ts';

// linux/if_packet.h
export const packetFamily = 17;
export const packetLevel = 263;

/**
 * Binds a packet socket to the interface that has the name now, to receive an EtherType (3: every one, 0: none).
 * @returns the interface's index @throws SystemError for a missing interface
 */
export function bindPacketSocket(fd: number, name: string, protocol: number): number {
  const index = interfaceIndex(name);
  const address = linkLayerAddress(index, protocol);
  check(libc().bind(fd, address, address.length), 'packet socket on', name);
  return index;
}

/** A struct sockaddr_ll. */
export function linkLayerAddress(ifindex: number, protocol: number): Uint8Array {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, packetFamily, true);
  view.setUint16(2, protocol);
  view.setInt32(4, ifindex, true);
  return address;
}
