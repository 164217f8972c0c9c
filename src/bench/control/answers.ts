import type { VsiId } from '../../domain/vsi-id.ts';
import { inNamespace } from '../../linux/net/namespace.ts';
import { etherTypeFilter, PacketSocket } from '../../linux/net/packet-socket.ts';
import { dialects } from '../../protocol/dialects.ts';
import { decodeFrame } from '../../protocol/ethernet.ts';
import { etherTypes } from '../../domain/packet-numbers.ts';

const { ecp, vdp } = dialects.ratified;

/**
 * Reads off a station's interface when each VSI was asked for, and when it was answered, by the kernel's time stamps, and
 * afterwards: whoever woke up with the frames would take a processor from those who are measured.
 */
export class Answers implements Disposable {
  readonly #socket: PacketSocket;
  readonly #asked = new Map<VsiId, bigint>();
  readonly #answered = new Map<VsiId, bigint>();

  constructor(namespace: string, link: string) {
    const options = { filter: etherTypeFilter([etherTypes.ecp]), outgoing: true };
    this.#socket = inNamespace(namespace, () => new PacketSocket(link, options));
  }

  /** From the first ECPDU with the request to the first with its answer, in ms; null while there is none. */
  timeOf(vsiId: VsiId): number | null {
    this.#socket.take((frame, at) => this.#read(frame, at));
    const asked = this.#asked.get(vsiId);
    const answered = this.#answered.get(vsiId);
    return asked === undefined || answered === undefined ? null : Number(answered - asked) / 1e6;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #read(bytes: Uint8Array, at: bigint): void {
    const frame = decodeFrame(bytes);
    const ecpdu = frame.ok ? ecp.decode(frame.value.payload) : frame;
    if (!ecpdu.ok || ecpdu.value.operation !== 'request') return;
    const vdpdu = vdp.decode('bridge', ecpdu.value.payload);
    if (!vdpdu.ok) return;
    for (const tlv of vdpdu.value) {
      if (tlv.kind !== 'answer' && tlv.kind !== 'request') continue;
      const moments = tlv.kind === 'answer' ? this.#answered : this.#asked;
      if (!moments.has(tlv.vsiId)) moments.set(tlv.vsiId, at);
    }
  }
}
