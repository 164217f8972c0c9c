import koffi from 'koffi';
import { check, libc } from '../libc.ts';
import { LinkTable, listRequest, type LinkChange } from './link-table.ts';
import { onReadable } from '../readable.ts';

export type { LinkChange } from './link-table.ts';

const family = 16; // AF_NETLINK
const linkGroup = 1; // RTMGRP_LINK
const socketLevel = 1;
const receiveBufferForce = 33; // SO_RCVBUFFORCE

/** Octets of events that may wait: some thousands. */
const defaultReceiveBuffer = 4 << 20;
/** Datagrams read in a turn of the event loop: whoever makes links without end keeps nobody else waiting. */
const atOnce = 64;

/**
 * Reports every change of a link in this thread's namespace (rtnetlink(7)) until the returned function is called. Where
 * the kernel had more events than the socket holds, every link is reported as it is then, and which ones are gone.
 */
export function monitorLinks(
  listener: (change: LinkChange) => void,
  failed: (error: unknown) => void,
  receiveBuffer = defaultReceiveBuffer,
): () => void {
  const { socket, bind, recv, send, setsockopt, close } = libc();
  const rawNonBlockingCloexec = 3 | 0o4000 | 0o2000000;
  const fd = check(socket(family, rawNonBlockingCloexec, 0), 'socket', 'netlink');
  const table = new LinkTable();
  const ask = (): void => {
    const request = listRequest();
    if (table.wantsList && send(fd, request, request.length, 0) === request.length) table.listAsked();
  };
  try {
    const size = new Uint8Array(Uint32Array.of(receiveBuffer).buffer);
    check(setsockopt(fd, socketLevel, receiveBufferForce, size, 4), 'setsockopt', 'SO_RCVBUFFORCE');
    const address = new Uint8Array(12);
    new DataView(address.buffer).setUint16(0, family, true);
    new DataView(address.buffer).setUint32(8, linkGroup, true);
    check(bind(fd, address, address.length), 'bind', 'netlink link group');
    ask();
  } catch (error) {
    close(fd);
    throw error;
  }
  const buffer = new Uint8Array(65_536);
  const tell = (change: LinkChange): void => {
    try {
      listener(change);
    } catch (error) {
      failed(error); // of one link; the others are told all the same
    }
  };
  const read = (): void => {
    for (let turn = 0; turn < atOnce; turn++) {
      const length = recv(fd, buffer, buffer.length, 0);
      if (length > 0) for (const change of table.read(buffer.subarray(0, length))) tell(change);
      else if (length < 0 && koffi.errno() === koffi.os.errno['ENOBUFS']) table.overflowed();
      else break;
      ask();
    }
    ask();
  };
  const stop = onReadable(fd, read, failed);
  return () => {
    stop();
    close(fd);
  };
}
