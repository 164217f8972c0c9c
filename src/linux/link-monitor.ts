import { check, libc } from './libc.ts';
import { onReadable } from './readable.ts';

const family = 16; // AF_NETLINK
const linkGroup = 1; // RTMGRP_LINK
const newLink = 16; // RTM_NEWLINK
const deleteLink = 17; // RTM_DELLINK
const nameAttribute = 3; // IFLA_IFNAME
const upAndRunning = 0x41; // IFF_UP | IFF_RUNNING

export interface LinkChange {
  readonly index: number;
  readonly name: string;
  /** false: it was deleted, or moved to another namespace */
  readonly exists: boolean;
  /** administratively up and with a carrier */
  readonly runs: boolean;
}

/** Reports every change of a link in this thread's namespace (rtnetlink(7)) until the returned function is called. */
export function monitorLinks(
  listener: (change: LinkChange) => void,
  failed: (error: unknown) => void,
): () => void {
  const { socket, bind, recv, close } = libc();
  const rawNonBlockingCloexec = 3 | 0o4000 | 0o2000000;
  const fd = check(socket(family, rawNonBlockingCloexec, 0), 'socket', 'netlink');
  const address = new Uint8Array(12);
  new DataView(address.buffer).setUint16(0, family, true);
  new DataView(address.buffer).setUint32(8, linkGroup, true);
  check(bind(fd, address, address.length), 'bind', 'netlink link group');
  const buffer = new Uint8Array(65_536);
  const stop = onReadable(
    fd,
    () => {
      for (let length; (length = recv(fd, buffer, buffer.length, 0)) > 0;)
        for (const change of linkChanges(buffer.subarray(0, length))) listener(change);
    },
    failed,
  );
  return () => {
    stop();
    close(fd);
  };
}

/** The link changes in one netlink datagram: nlmsghdr (16 octets), ifinfomsg (16 octets) and attributes each. */
function* linkChanges(datagram: Uint8Array): Generator<LinkChange> {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  for (let at = 0; at + 32 <= datagram.length;) {
    const length = view.getUint32(at, true);
    const type = view.getUint16(at + 4, true);
    if (length < 16) return;
    if (length >= 32 && (type === newLink || type === deleteLink))
      yield {
        index: view.getInt32(at + 20, true),
        name: nameIn(datagram.subarray(at + 32, at + length)),
        exists: type === newLink,
        runs: type === newLink && (view.getUint32(at + 24, true) & upAndRunning) === upAndRunning,
      };
    at += (length + 3) & ~3;
  }
}

function nameIn(attributes: Uint8Array): string {
  const view = new DataView(attributes.buffer, attributes.byteOffset, attributes.byteLength);
  for (let at = 0; at + 4 <= attributes.length;) {
    const length = view.getUint16(at, true);
    if (length < 4) break;
    if (view.getUint16(at + 2, true) === nameAttribute)
      return Buffer.from(attributes.subarray(at + 4, at + length - 1)).toString();
    at += (length + 3) & ~3;
  }
  return '';
}
