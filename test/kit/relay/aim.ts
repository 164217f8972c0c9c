import { macToBytes } from '../../../src/domain/mac-address.ts';
import type { RelayState, RelayVsi } from '../../../src/relay/contract/relay.ts';

export interface Arrival {
  readonly port: string;
  readonly frame: Uint8Array;
}

/** Which of the possibilities to take, each as a number that is taken modulo theirs; null: leave it to chance. */
export interface Aim {
  readonly sender: number | null;
  readonly vid: number;
  readonly receiver: number | null;
}

/** The frame as one that a VSI of the state sends where it is active, or now and then where it was before, or that a network port carries. */
export function aimed({ ports, vsis }: RelayState, { port, frame }: Arrival, aim: Aim): Arrival {
  if (aim.sender === null) return { port, frame };
  const kind = ports.get(port);
  const all = [...vsis.values()];
  if (kind?.kind === 'network') {
    const vids = [...(kind.nativeVlan === null ? [] : [0]), ...kind.vlans];
    const vid = pick(vids, aim.vid);
    if (vid === undefined) return { port, frame };
    const receiver = receiverIn(all, vid || kind.nativeVlan!, aim);
    return { port, frame: redressed(frame, vid, null, receiver) };
  }
  const sender = pick(
    all.filter(({ places: { active, released } }) => active ?? released),
    aim.sender,
  );
  if (!sender) return { port, frame };
  const { policy, places, addresses } = sender;
  const { active, released } = places;
  const place = pick(
    [active, active, released].filter((one) => one !== null),
    aim.vid >> 4,
  )!;
  const vid = pick([place.wireVid, ...policy.trunk], aim.vid)!;
  const vlan = vid === place.wireVid ? policy.vlan : vid;
  const source = pick(addresses, aim.sender >> 4)!;
  return {
    port: place.port,
    frame: redressed(frame, vid, source, receiverIn(all, vlan, aim)),
  };
}

function receiverIn(vsis: readonly RelayVsi[], vlan: number, { receiver }: Aim): string | null {
  if (receiver === null) return null;
  const isIn = ({ policy }: RelayVsi) => policy.vlan === vlan || policy.trunk.some((one) => one === vlan);
  return pick(vsis.filter(isIn), receiver)?.addresses[0] ?? null;
}

function pick<T>(among: readonly T[], which: number): T | undefined {
  return among[which % among.length];
}

/** With that VID, under the priority it has; a group frame keeps its destination. */
function redressed(
  frame: Uint8Array,
  vid: number,
  source: string | null,
  destination: string | null,
): Uint8Array {
  const isTagged = frame[12] === 0x81 && frame[13] === 0;
  const tci = isTagged ? ((frame[14]! << 8) & 0xf000) | vid : vid;
  const tag = isTagged || vid ? [0x81, 0x00, tci >> 8, tci & 0xff] : [];
  const dressed = Uint8Array.from([...frame.subarray(0, 12), ...tag, ...frame.subarray(isTagged ? 16 : 12)]);
  if (destination && !(frame[0]! & 1)) dressed.set(macToBytes(destination as never), 0);
  if (!source) return dressed;
  const payload = 12 + tag.length + 2;
  const isArp = dressed[payload - 2] === 0x08 && dressed[payload - 1] === 0x06;
  const speaksForItself =
    Buffer.compare(frame.subarray(6, 12), dressed.subarray(payload + 8, payload + 14)) === 0;
  dressed.set(macToBytes(source as never), 6);
  if (isArp && speaksForItself) dressed.set(macToBytes(source as never), payload + 8);
  return dressed;
}
