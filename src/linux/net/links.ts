import { macFromBytes, type MacAddress } from '../../domain/mac-address.ts';
import { check, libc } from '../libc.ts';

/*
 * rtnetlink(7): nlmsghdr (16 octets: length, type, flags, sequence, port), then a family's header, then attributes.
 */
const netlinkFamily = 16; // AF_NETLINK
const newLink = 16; // RTM_NEWLINK
const getLink = 18; // RTM_GETLINK
const newNamespaceId = 88; // RTM_NEWNSID
const getNamespaceId = 90; // RTM_GETNSID
const [noMore, failure] = [3, 2]; // NLMSG_DONE, NLMSG_ERROR
const request = 1; // NLM_F_REQUEST
const dump = 0x300; // NLM_F_DUMP
const attribute = {
  address: 1,
  name: 3,
  link: 5,
  master: 10,
  info: 18,
  extendedMask: 29,
  linkNamespace: 37,
} as const; // IFLA_*
const isUp = 1; // IFF_UP
const infoKind = 1; // IFLA_INFO_KIND
const withoutStatistics = 8; // RTEXT_FILTER_SKIP_STATS
const [namespaceId, namespaceFd] = [1, 3]; // NETNSA_NSID, NETNSA_FD

/** An interface of this thread's namespace. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** null for one that has none of six octets */
  readonly mac: MacAddress | null;
  /** administratively */
  readonly up: boolean;
  /** "macvlan", "macvtap", "veth" …; null for hardware */
  readonly kind: string | null;
  /** the interface that it stands on, or a veth's peer; where that is elsewhere, the namespace's number in this one */
  readonly lower: { readonly index: number; readonly namespace: number | null } | null;
  /** the bridge, bond or team that it is a member of */
  readonly master: number | null;
}

/** All links of this thread's namespace. @throws SystemError */
export function readLinks(): Link[] {
  const ask = linkRequest(0);
  return Array.from(exchange(getLink, request | dump, ask), (message) => linkOf(message));
}

/** Null if there is none of this index. @throws SystemError */
export function readLink(index: number): Link | null {
  for (const message of exchange(getLink, request, linkRequest(index))) return linkOf(message);
  return null;
}

/** The number that this thread's namespace has given to another, to which the descriptor leads; null for none. */
export function numberOfNamespace(fd: number): number | null {
  const ask = new Uint8Array(12); // struct rtgenmsg, padded
  new DataView(ask.buffer).setUint16(4, 8, true);
  new DataView(ask.buffer).setUint16(6, namespaceFd, true);
  new DataView(ask.buffer).setUint32(8, fd, true);
  for (const message of exchange(getNamespaceId, request, ask)) {
    const value = attributesOf(message.subarray(4)).get(namespaceId);
    const number = value ? int(value) : -1;
    return number < 0 ? null : number;
  }
  return null;
}

/** struct ifinfomsg, and no statistics in the answer */
function linkRequest(index: number): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setInt32(4, index, true);
  view.setUint16(16, 8, true);
  view.setUint16(18, attribute.extendedMask, true);
  view.setUint32(20, withoutStatistics, true);
  return bytes;
}

function linkOf(message: Uint8Array): Link {
  const attributes = attributesOf(message.subarray(16));
  const name = attributes.get(attribute.name);
  const address = attributes.get(attribute.address);
  const lower = attributes.get(attribute.link);
  const namespace = attributes.get(attribute.linkNamespace);
  const master = attributes.get(attribute.master);
  const info = attributes.get(attribute.info);
  const kind = info && attributesOf(info).get(infoKind);
  return {
    index: int(message.subarray(4)),
    name: name ? text(name) : '',
    mac: address?.length === 6 ? macFromBytes(address) : null,
    up: (int(message.subarray(8)) & isUp) !== 0,
    kind: kind ? text(kind) : null,
    lower: lower && int(lower) ? { index: int(lower), namespace: namespace ? int(namespace) : null } : null,
    master: master ? int(master) : null,
  };
}

/** Sends a request and yields the answers' bodies; none where the kernel knows nothing of what was asked for. */
function* exchange(type: number, flags: number, body: Uint8Array): Generator<Uint8Array> {
  const { socket, send, recv, close } = libc();
  const rawCloexec = 3 | 0o2000000;
  const fd = check(socket(netlinkFamily, rawCloexec, 0), 'socket', 'netlink');
  try {
    const message = new Uint8Array(16 + body.length);
    const header = new DataView(message.buffer);
    header.setUint32(0, message.length, true);
    header.setUint16(4, type, true);
    header.setUint16(6, flags, true);
    message.set(body, 16);
    check(send(fd, message, message.length, 0), 'netlink request', String(type));
    const buffer = new Uint8Array(65_536);
    for (;;) {
      const length = check(recv(fd, buffer, buffer.length, 0), 'netlink answer to', String(type));
      for (const { type, body } of messagesIn(buffer.subarray(0, length))) {
        if (type === noMore || type === failure) return;
        if (type === newLink || type === newNamespaceId) yield body.slice();
        if (!(flags & dump)) return;
      }
    }
  } finally {
    close(fd);
  }
}

function* messagesIn(datagram: Uint8Array): Generator<{ readonly type: number; readonly body: Uint8Array }> {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  for (let at = 0; at + 16 <= datagram.length;) {
    const length = view.getUint32(at, true);
    if (length < 16) return;
    yield { type: view.getUint16(at + 4, true), body: datagram.subarray(at + 16, at + length) };
    at += (length + 3) & ~3;
  }
}

/** By their numbers; of several of a number, the last. */
function attributesOf(bytes: Uint8Array): Map<number, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = new Map<number, Uint8Array>();
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = view.getUint16(at, true);
    if (length < 4) break;
    found.set(view.getUint16(at + 2, true) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}

function int(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt32(0, true);
}

/** Ends with its zero octet. */
function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString();
}
