import { type Direction, directions } from '../../../src/domain/port-profile.ts';
import { macToBytes } from '../../../src/domain/mac-address.ts';
import { hidden, later, none } from '../../../src/relay/ebpf/access-list/covers.ts';
import type { Frame } from '../../../src/relay/reference/frame.ts';
import { ipHeaderOf, type IpHeader } from '../../../src/relay/reference/headers.ts';
import type { Verdict } from '../../../src/relay/reference/access-list.ts';

/** What bpf/frame.h makes of a frame (struct headers). */
export interface Headers {
  /** by the numbers of enum key */
  readonly keys: readonly number[];
  /** destination and source */
  readonly macs: Uint8Array;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly family: 0 | 4 | 6;
  readonly isUnreadable: boolean;
}

export function headersOf(frame: Frame, vlan: number): Headers {
  const ip = ipHeaderOf(frame);
  const macs = Uint8Array.from([...macToBytes(frame.destination), ...macToBytes(frame.source)]);
  const common = { macs, isUnreadable: ip === 'unreadable' };
  if (!ip || ip === 'unreadable') {
    const empty = new Uint8Array(4);
    const keys = [frame.etherType, vlan, none, none, none, none, none, none, none];
    return { ...common, keys, source: empty, destination: empty, family: 0 };
  }
  const { source, destination, protocol, dscp, fragment } = ip;
  const family = source.length === 4 ? 4 : 6;
  const keys = [
    frame.etherType,
    vlan,
    protocol ?? hidden,
    ...segmentKeys(ip),
    dscp,
    fragment === null ? hidden : Number(fragment),
  ];
  return { ...common, keys, source, destination, family };
}

/** Source port, destination port, established, ICMP type. */
function segmentKeys({ protocol, segment }: IpHeader): number[] {
  if (segment === 'later') return [later, later, later, later];
  if (segment === 'hidden') return [hidden, hidden, hidden, hidden];
  const at = (i: number) => segment[i]!;
  const ports = ![6, 17, 132].includes(protocol!)
    ? [none, none]
    : segment.length < 4
      ? [hidden, hidden]
      : [(at(0) << 8) | at(1), (at(2) << 8) | at(3)];
  const established = protocol !== 6 ? none : segment.length < 14 ? hidden : Number((at(13) & 0x14) !== 0);
  const type = protocol !== 1 && protocol !== 58 ? none : segment.length < 1 ? hidden : at(0);
  return [...ports, established, type];
}

/** Asks an encoded list as bpf/access-list.h does, step by step. */
export function evaluate(image: Uint8Array<ArrayBuffer>, direction: Direction, headers: Headers): Verdict {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const u32 = (at: number) => view.getUint32(at, true);
  const [words, vectors, pool, allowed] = [u32(12), u32(16), u32(20), u32(24)] as const;
  const rules = u32(40);
  const otherwise = { allowed: u32(36) === 1, by: rules };
  if (!rules) return otherwise;
  if (headers.isUnreadable) return { allowed: false, by: rules };
  const classes = [u32(4 * directions.indexOf(direction))];
  for (let i = 0; i < u32(8); i++) classes.push(classOf(view, 72 + 20 * i, headers));
  const open = classes.reduce((bits, it) => bits & (it >>> 16), 0xffff);
  for (let i = 0; i < words; i++) {
    if (!(open & (1 << i))) continue;
    const word = classes.reduce((bits, it) => {
      const number = view.getUint16(vectors + ((it & 0xffff) * words + i) * 2, true);
      return bits & view.getBigUint64(pool + number * 8, true);
    }, ~0n);
    for (let bit = 0; bit < 64; bit++) {
      if (!((word >> BigInt(bit)) & 1n)) continue;
      const isAllowed = (view.getBigUint64(allowed + 8 * i, true) >> BigInt(bit)) & 1n;
      return { allowed: isAllowed === 1n, by: 64 * i + bit };
    }
  }
  return otherwise;
}

function classOf(view: DataView, at: number, headers: Headers): number {
  const [table, first] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
  const [log, key] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
  const [nobody, other] = [view.getUint32(at + 12, true), view.getUint32(at + 16, true)];
  if (key < 16) return search(view, table, first, log, 8, BigInt(headers.keys[key]!));
  if (key < 32) return search(view, table, first, log, 8, BigInt(headers.macs[key - 16]!));
  if (!headers.family) return nobody;
  if ((headers.family === 6) !== Boolean(key & 1)) return other;
  const address = key & 2 ? headers.destination : headers.source;
  const wanted = BigInt(`0x${Buffer.from(address).toString('hex')}`);
  return search(view, table, first, log, key & 1 ? 24 : 8, wanted);
}

function search(
  view: DataView,
  table: number,
  first: number,
  log: number,
  size: number,
  key: bigint,
): number {
  const from = (at: number) =>
    size === 8
      ? BigInt(view.getUint32(at, true))
      : (view.getBigUint64(at, true) << 64n) | view.getBigUint64(at + 8, true);
  let at = table;
  for (let step = first, i = log; ; step = size << --i) {
    if (from(at + step) <= key) at += step;
    if (i === 0) return view.getUint32(at + (size === 8 ? 4 : 16), true);
  }
}
