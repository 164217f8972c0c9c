import { macToBytes, type MacAddress } from '../../domain/mac-address.ts';
import { vsiIdFromBytes, vsiIdToBytes, type VsiId } from '../../domain/vsi-id.ts';
import { interfaceIndex } from '../../linux/net/interfaces.ts';
import { check, libc } from '../../linux/libc.ts';
import { inNamespace } from '../../linux/net/namespace.ts';
import { vdpModes, type VdpMode } from '../../protocol/vdp/association.ts';

/** A VSI as libvirt hands it over: one address, and a manager id of one octet. */
export interface NetlinkVsi {
  readonly vsiId: VsiId;
  readonly managerId: number;
  readonly typeId: number;
  readonly typeVersion: number;
  readonly mac: MacAddress;
  /** 0: the bridge chooses */
  readonly vid: number;
}

// linux/rtnetlink.h, linux/if_link.h
const routeFamily = 16;
const getLink = 18;
const setLink = 19;
const error = 2;
const request = 1;
const attribute = {
  ifName: 3,
  vfInfoList: 22,
  vfInfo: 1,
  vfMac: 1,
  vfVlan: 2,
  vfPorts: 24,
  vfPort: 1,
  vsiType: 3,
  instance: 4,
  request: 6,
  response: 7,
} as const;
const anyVf = 0xffffffff;
const headerLength = 16;
const typeMask = 0x3fff;
const replyLength = 1 << 18;

/**
 * The messages by which libvirt drives lldpad: RTM_SETLINK with a VF port's VSI to lldpad's own netlink address, then
 * RTM_GETLINK until a response is in it. lldpad speaks the dialect that its link has.
 */
export class LldpadNetlink {
  readonly #fd: number;
  readonly #interface: Uint8Array;
  #sequence = 1;

  /** @throws SystemError */
  constructor(namespace: string, link: string, pid: number) {
    const { socket, bind, connect, setsockopt } = libc();
    const opened = inNamespace(namespace, () => ({
      fd: check(socket(routeFamily, 3, 0), 'netlink socket in', namespace),
      index: interfaceIndex(link),
    }));
    this.#fd = opened.fd;
    check(bind(this.#fd, netlinkAddress(0), 12), 'bind', 'netlink');
    check(connect(this.#fd, netlinkAddress(pid), 12), 'connect to lldpad, pid', String(pid));
    const threeSeconds = new Uint8Array(16);
    threeSeconds[0] = 3;
    check(setsockopt(this.#fd, 1, 20, threeSeconds, 16), 'setsockopt', 'SO_RCVTIMEO');
    const info = new Uint8Array(16); // struct ifinfomsg
    new DataView(info.buffer).setInt32(4, opened.index, true);
    this.#interface = concat(info, attr(attribute.ifName, new TextEncoder().encode(`${link}\0`)));
  }

  /** Hands a request over; 0, or lldpad's own error number. The bridge's answer comes later. */
  request(mode: VdpMode, { vsiId, managerId, typeId, typeVersion, mac, vid }: NetlinkVsi): number {
    const vsiType = Uint8Array.of(
      managerId,
      typeId & 0xff,
      (typeId >> 8) & 0xff,
      typeId >> 16,
      typeVersion,
      0,
      0,
      0,
    );
    const vfMac = new Uint8Array(36);
    vfMac.set(words(anyVf));
    vfMac.set(macToBytes(mac), 4);
    const reply = this.#ask(
      setLink,
      concat(
        this.#interface,
        attr(
          attribute.vfInfoList,
          attr(
            attribute.vfInfo,
            concat(attr(attribute.vfMac, vfMac), attr(attribute.vfVlan, words(anyVf, vid, 0))),
          ),
        ),
        attr(
          attribute.vfPorts,
          attr(
            attribute.vfPort,
            concat(
              attr(attribute.vsiType, vsiType),
              attr(attribute.instance, vsiIdToBytes(vsiId)),
              attr(attribute.request, Uint8Array.of(vdpModes.indexOf(mode))),
            ),
          ),
        ),
      ),
    );
    return new DataView(reply.body.buffer, reply.body.byteOffset).getInt32(0, true);
  }

  /** What the bridge answered, by VSI: null where it has not yet. lldpad forgets a VSI that failed once it was read. */
  responses(): Map<VsiId, number | null> {
    const { type, body } = this.#ask(getLink, this.#interface);
    const found = new Map<VsiId, number | null>();
    if (type === error) return found;
    for (const ports of attributes(body.subarray(16)).filter(({ type }) => type === attribute.vfPorts))
      for (const port of attributes(ports.data)) {
        let vsiId: VsiId | null = null;
        let response: number | null = null;
        for (const { type, data } of attributes(port.data))
          if (type === attribute.instance && data.length >= 16) vsiId = vsiIdFromBytes(data);
          else if (type === attribute.response) response = data[0]! | (data[1]! << 8);
        if (vsiId) found.set(vsiId, response);
      }
    return found;
  }

  close(): void {
    libc().close(this.#fd);
  }

  #ask(type: number, body: Uint8Array): { type: number; body: Uint8Array } {
    const header = new Uint8Array(headerLength);
    const view = new DataView(header.buffer);
    view.setUint32(0, headerLength + body.length, true);
    view.setUint16(4, type, true);
    view.setUint16(6, request, true);
    view.setUint32(8, this.#sequence++, true);
    const message = concat(header, body);
    const { send, recv } = libc();
    check(send(this.#fd, message, message.length, 0), 'send to', 'lldpad');
    const reply = new Uint8Array(replyLength);
    for (;;) {
      const length = check(recv(this.#fd, reply, reply.length, 0), 'answer of', 'lldpad');
      const type = new DataView(reply.buffer).getUint16(4, true);
      // by draft 0.2 lldpad tells whoever asked when the bridge lets go: that is no answer
      if (type !== setLink) return { type, body: reply.subarray(headerLength, length) };
    }
  }
}

/**
 * Those of `vsis`, all asked for, whose answer lldpad has not heard. Of many it lists only some 90, so the ones that are
 * heard are de-associated, and others come to light, until none has for `withinMs`.
 */
export async function unheard(
  netlink: LldpadNetlink,
  vsis: readonly NetlinkVsi[],
  withinMs: number,
): Promise<VsiId[]> {
  const rest = new Map(vsis.map((vsi) => [vsi.vsiId, vsi]));
  for (let end = performance.now() + withinMs; rest.size > 0 && performance.now() < end;) {
    for (const [vsiId, response] of netlink.responses()) {
      const vsi = rest.get(vsiId);
      if (!vsi || response !== 0 || netlink.request('de-associate', vsi) !== 0) continue;
      rest.delete(vsiId);
      end = performance.now() + withinMs;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return [...rest.keys()];
}

function netlinkAddress(pid: number): Uint8Array {
  const address = new Uint8Array(12);
  new DataView(address.buffer).setUint16(0, routeFamily, true);
  new DataView(address.buffer).setUint32(4, pid, true);
  return address;
}

function attr(type: number, data: Uint8Array): Uint8Array {
  const padded = new Uint8Array((4 + data.length + 3) & ~3);
  const view = new DataView(padded.buffer);
  view.setUint16(0, 4 + data.length, true);
  view.setUint16(2, type, true);
  padded.set(data, 4);
  return padded;
}

function attributes(bytes: Uint8Array): { type: number; data: Uint8Array }[] {
  const found: { type: number; data: Uint8Array }[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = view.getUint16(at, true);
    if (length < 4) break;
    found.push({ type: view.getUint16(at + 2, true) & typeMask, data: bytes.subarray(at + 4, at + length) });
    at += (length + 3) & ~3;
  }
  return found;
}

function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  values.forEach((value, i) => new DataView(bytes.buffer).setUint32(4 * i, value, true));
  return bytes;
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
