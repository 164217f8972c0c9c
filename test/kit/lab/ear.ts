import { macFromBytes, type MacAddress } from '../../../src/domain/mac-address.ts';
import type { KernelLab } from '../../../src/lab/kernel-lab.ts';
import { hosts, mirrorPort, networkPort, type HostName } from '../../../src/lab/scenario.ts';
import { collectorLink, peerLink } from '../../../src/lab/topology.ts';
import { interfaceAddress } from '../../../src/linux/net/interfaces.ts';
import { inNamespace } from '../../../src/linux/net/namespace.ts';
import { PacketSocket } from '../../../src/linux/net/packet-socket.ts';
import { plain } from '../relay/frames.ts';
import { until } from './kit.ts';

/** A frame of the tests' own that arrived: its text, addresses, tag (802.1Q TCI), length, and the kernel's time stamp. */
export interface Heard {
  readonly text: string;
  readonly destination: MacAddress;
  readonly source: MacAddress;
  readonly tci: number | null;
  readonly length: number;
  /** ns, CLOCK_REALTIME */
  readonly at: bigint;
}

const mark = 'hp-mark';
const experimental = 0x88b5;

/**
 * An end of the lab's network, to send the tests' own frames from and to hear those that arrive: of an EtherType for
 * experiments, so that no kernel answers them.
 */
export class Ear {
  readonly mac: MacAddress;
  readonly #port: string;
  readonly #socket: PacketSocket;
  #heard: Heard[] = [];
  #marks = 0;

  /** @param port the switch's port that the end is behind */
  constructor(namespace: string, link: string, port: string) {
    this.#port = port;
    [this.mac, this.#socket] = inNamespace(namespace, () => [
      interfaceAddress(link),
      new PacketSocket(link, { receiveBuffer: 1 << 24, filter: onlyExperimental }),
    ]);
    this.#socket.listen(
      (frame, at) => this.#receive(frame, at),
      (error) => {
        throw error;
      },
    );
  }

  send(destination: string, text: string, source: string = this.mac): void {
    this.sendFrame(plain(destination, source, text));
  }

  sendFrame(frame: Uint8Array): void {
    if (!this.#socket.send(frame)) throw new Error('the kernel did not take a frame');
  }

  /** how many frames were heard since the last time */
  get heard(): number {
    return this.#heard.length;
  }

  /** What was heard since the last time, in order. Whoever asks has waited for it: see `settle`. */
  take(): Heard[] {
    return this.#heard.splice(0);
  }

  /**
   * Waits for what is on its way from the switch to this end: a mark that leaves by the same port arrives behind it.
   * What the switch still has to forward is not waited for.
   */
  async settled(lab: KernelLab): Promise<void> {
    const before = this.#marks;
    inNamespace(lab.names.bridge, () => {
      const near = new PacketSocket(this.#port);
      near.send(plain(this.mac, '02:00:00:00:00:77', mark));
      near.close();
    });
    await until('a mark', () => this.#marks > before);
  }

  close(): void {
    this.#socket.close();
  }

  #receive(frame: Uint8Array, at: bigint): void {
    const tagged = frame[12] === 0x81 && frame[13] === 0;
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    const payload = tagged ? 18 : 14;
    if (view.getUint16(payload - 2) !== experimental) return;
    const text = Buffer.from(frame.subarray(payload)).toString('latin1').replace(/\0.*$/s, '');
    if (text === mark) {
      this.#marks++;
      return;
    }
    this.#heard.push({
      text,
      destination: macFromBytes(frame),
      source: macFromBytes(frame, 6),
      tci: tagged ? view.getUint16(14) : null,
      length: frame.length - (tagged ? 4 : 0),
      at,
    });
  }
}

/** The socket's filter sees no tag: the kernel keeps it beside the frame. */
const onlyExperimental = [
  [0x28, 0, 0, 12],
  [0x15, 0, 1, experimental],
  [0x06, 0, 0, 0xffff],
  [0x06, 0, 0, 0],
] as const;

export function earOfVm(lab: KernelLab, name: string, host: HostName): Ear {
  const { port } = hosts.find((each) => each.name === host)!;
  return new Ear(lab.names.vm(name), `nic-${host}`, port);
}

export function earOfPeer(lab: KernelLab): Ear {
  return new Ear(lab.names.peer, peerLink, networkPort);
}

export function earOfCollector(lab: KernelLab): Ear {
  return new Ear(lab.names.collector, collectorLink, mirrorPort);
}
