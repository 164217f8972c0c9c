import koffi from 'koffi';
import { macToBytes, type MacAddress } from '../../domain/mac-address.ts';
import { check, libc } from '../libc.ts';
import { bindPacketSocket, packetFamily, packetLevel } from './packet-address.ts';
import { onReadable } from '../readable.ts';

/** One instruction of a classic BPF program: code, jt, jf, k (bpf(4)). */
export type ClassicBpf = readonly (readonly [code: number, jt: number, jf: number, k: number])[];

export interface PacketSocketOptions {
  /** which frames to receive; all if absent. It sees a frame without the VLAN tag that the kernel keeps beside it. */
  readonly filter?: ClassicBpf;
  /** only frames of this EtherType, and only those that get to the protocol stack: what is dropped at tc ingress is not heard */
  readonly etherType?: number;
  /** group addresses to receive: an interface that is no bridge's port lets through only those that somebody joined */
  readonly groups?: readonly MacAddress[];
  /** octets kept of a frame; longer ones are cut */
  readonly snapLength?: number;
  /** also what this machine sends on the interface */
  readonly outgoing?: boolean;
  /** octets the kernel may queue */
  readonly receiveBuffer?: number;
}

/** A frame from its destination address on, with its VLAN tag in place, and when the kernel received it (ns, CLOCK_REALTIME). */
export type FrameListener = (frame: Uint8Array, receivedAt: bigint) => void;

/** Accepts only frames of these EtherTypes. */
export function etherTypeFilter(etherTypes: readonly number[]): ClassicBpf {
  return [
    [0x28, 0, 0, 12], // load the 16 bits at octet 12
    ...etherTypes.map((type, i) => [0x15, etherTypes.length - i, 0, type] as const), // equal: to the last line
    [0x06, 0, 0, 0], // drop
    [0x06, 0, 0, 0xffff], // keep
  ];
}

// linux/if_packet.h, asm-generic/socket.h
const allProtocols = 0x0003;
const socketLevel = 1;
const optionReceiveBufferForce = 33;
const optionAttachFilter = 26;
const optionAddMembership = 1;
const optionTimestampNs = 35;
const optionAuxiliaryData = 8;
const optionIgnoreOutgoing = 23;
const vlanValid = 0x10;
const vlanTpidValid = 0x40;

/** frames taken at a time */
export const batch = 32;
/** Short frames that fit into the default receive buffer: the kernel counts 768 octets for each. */
const mostQueued = 6_000;
const headerLength = 64; // struct mmsghdr on a 64-bit machine
const controlLength = 96;
const tagLength = 4;

/**
 * A raw AF_PACKET socket on one interface of this thread's namespace: ETH_P_ALL with a classic BPF filter, because
 * a socket bound to port and EtherType misses frames to 01-80-C2-00-00-00 on a port of a Linux bridge.
 */
export class PacketSocket {
  readonly #fd: number;
  readonly #name: string;
  readonly #snapLength: number;
  readonly #protocol: number;
  readonly #groups: readonly MacAddress[];
  #ring: ReceiveRing | undefined;
  #stop: (() => void) | undefined;

  /** @throws SystemError for a missing interface or missing rights */
  constructor(name: string, options: PacketSocketOptions = {}) {
    const { socket, close } = libc();
    this.#name = name;
    this.#protocol = options.etherType ?? allProtocols;
    this.#groups = options.groups ?? [];
    const rawNonBlockingCloexec = 3 | 0o4000 | 0o2000000;
    this.#fd = check(socket(packetFamily, rawNonBlockingCloexec, 0), 'packet socket on', name);
    try {
      this.#set(packetLevel, optionIgnoreOutgoing, int(options.outgoing ? 0 : 1));
      this.#set(packetLevel, optionAuxiliaryData, int(1));
      this.#set(socketLevel, optionTimestampNs, int(1));
      this.#set(socketLevel, optionReceiveBufferForce, int(options.receiveBuffer ?? 1 << 21));
      if (options.filter)
        withFilterProgram(options.filter, (header) => this.#set(socketLevel, optionAttachFilter, header));
      this.bind();
    } catch (error) {
      close(this.#fd);
      throw error;
    }
    this.#snapLength = options.snapLength ?? 2048;
  }

  /** Binds to the interface that has the name now: it may have been made anew. @throws SystemError for a missing interface */
  bind(): void {
    const index = bindPacketSocket(this.#fd, this.#name, this.#protocol);
    for (const group of this.#groups) this.#set(packetLevel, optionAddMembership, membership(index, group));
  }

  /** Sends a whole frame, destination address first; false if the kernel did not take it (link down, no buffer). */
  send(frame: Uint8Array): boolean {
    return libc().send(this.#fd, frame, frame.length, 0) === frame.length;
  }

  /**
   * Starts to receive. The frame handed to `listener` is only valid during the call. However many frames wait, a turn of
   * the event loop takes a batch of them and no more, so that a flood here keeps nobody waiting elsewhere.
   */
  listen(listener: FrameListener, failed: (error: unknown) => void): void {
    this.#stop = onReadable(this.#fd, () => this.take(listener), failed);
  }

  /** Takes what has come so far, at most a batch, without waiting for anything; how many frames that were. */
  take(listener: FrameListener): number {
    this.#ring ??= new ReceiveRing(this.#snapLength);
    return this.#ring.receive(this.#fd, listener);
  }

  /** Takes all that has come so far, at most what the kernel may queue, so that a flood ends. */
  drain(listener: FrameListener): void {
    for (let left = mostQueued; left > 0 && this.take(listener) === batch;) left -= batch;
  }

  close(): void {
    this.#stop?.();
    libc().close(this.#fd);
  }

  #set(level: number, option: number, value: Uint8Array): void {
    check(
      libc().setsockopt(this.#fd, level, option, value, value.length),
      'setsockopt',
      `${level}/${option}`,
    );
  }
}

/** A struct packet_mreq: PACKET_MR_MULTICAST of an interface. */
function membership(index: number, group: MacAddress): Uint8Array {
  const request = new Uint8Array(16);
  const view = new DataView(request.buffer);
  view.setInt32(0, index, true);
  const address = macToBytes(group);
  view.setUint16(6, address.length, true);
  request.set(address, 8);
  return request;
}

function int(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}

/** Hands `body` a struct sock_fprog; what that points to is memory of our own, which no garbage collection moves. */
function withFilterProgram(program: ClassicBpf, body: (header: Uint8Array) => void): void {
  const length = program.length * 8;
  const instructions: unknown = koffi.alloc('uint8', length);
  try {
    const view = new DataView(koffi.view(instructions, length));
    program.forEach(([code, jt, jf, k], i) => {
      view.setUint16(i * 8, code, true);
      view.setUint8(i * 8 + 2, jt);
      view.setUint8(i * 8 + 3, jf);
      view.setUint32(i * 8 + 4, k, true);
    });
    const header = new Uint8Array(16);
    new DataView(header.buffer).setUint16(0, program.length, true);
    new DataView(header.buffer).setBigUint64(8, koffi.address(instructions), true);
    body(header);
  } finally {
    koffi.free(instructions);
  }
}

/** Memory for one recvmmsg call: headers, vectors, control data and frames, laid out once. */
class ReceiveRing {
  readonly #slot: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #headers: bigint;
  readonly #controls = batch * headerLength;
  readonly #frames: number;

  constructor(snapLength: number) {
    this.#slot = snapLength + tagLength;
    const vectors = this.#controls + batch * controlLength;
    this.#frames = vectors + batch * 16;
    this.#bytes = new Uint8Array(this.#frames + batch * this.#slot);
    this.#view = new DataView(this.#bytes.buffer);
    const base = koffi.address(this.#bytes);
    this.#headers = base;
    for (let i = 0; i < batch; i++) {
      const header = i * headerLength;
      const vector = vectors + i * 16;
      this.#view.setBigUint64(header + 16, base + BigInt(vector), true);
      this.#view.setBigUint64(header + 24, 1n, true);
      this.#view.setBigUint64(header + 32, base + BigInt(this.#controls + i * controlLength), true);
      // room before the frame to move the addresses up when a VLAN tag has to be put back
      this.#view.setBigUint64(vector, base + BigInt(this.#frames + i * this.#slot + tagLength), true);
      this.#view.setBigUint64(vector + 8, BigInt(snapLength), true);
    }
  }

  /** One batch: what is left makes the socket readable again, after the others had their turn. */
  receive(fd: number, listener: FrameListener): number {
    for (let i = 0; i < batch; i++)
      this.#view.setBigUint64(i * headerLength + 40, BigInt(controlLength), true);
    const count = libc().recvmmsg(fd, this.#headers, batch, 0, null);
    // below 0: nothing there, or the interface went down, which the link monitor tells
    for (let i = 0; i < count; i++) this.#deliver(i, listener);
    return count;
  }

  #deliver(i: number, listener: FrameListener): void {
    const length = this.#view.getUint32(i * headerLength + 56, true);
    let start = this.#frames + i * this.#slot + tagLength;
    let receivedAt = 0n;
    const controls = this.#controls + i * controlLength;
    const end = controls + Number(this.#view.getBigUint64(i * headerLength + 40, true));
    let size = length;
    for (let at = controls; at + 16 <= end;) {
      const controlSize = Number(this.#view.getBigUint64(at, true));
      if (controlSize < 16) break;
      const level = this.#view.getInt32(at + 8, true);
      const type = this.#view.getInt32(at + 12, true);
      if (level === socketLevel && type === optionTimestampNs)
        receivedAt =
          this.#view.getBigInt64(at + 16, true) * 1_000_000_000n + this.#view.getBigInt64(at + 24, true);
      else if (level === packetLevel && type === optionAuxiliaryData) {
        const status = this.#view.getUint32(at + 16, true);
        if (status & vlanValid && length >= 12) {
          const tci = this.#view.getUint16(at + 32, true);
          const tpid = status & vlanTpidValid ? this.#view.getUint16(at + 34, true) : 0x8100;
          this.#bytes.copyWithin(start - tagLength, start, start + 12);
          start -= tagLength;
          size += tagLength;
          this.#view.setUint16(start + 12, tpid);
          this.#view.setUint16(start + 14, tci);
        }
      }
      at += (controlSize + 7) & ~7;
    }
    listener(this.#bytes.subarray(start, start + size), receivedAt);
  }
}
