import type { Marking } from '../../domain/port-profile.ts';
import type { Frame } from './frame.ts';
import { ipHeaderOf, ipv4 } from './headers.ts';

const dropEligible = 0x1000;

/** The frame as the fabric gets it. Its drop eligibility and its congestion marks stay. */
export function mark(frame: Frame, { dscp, pcp, defaultPcp }: Marking): Frame {
  const trusted = frame.tagged ? frame.priority >> 13 : defaultPcp;
  const priority = ((pcp === 'trust' ? trusted : pcp) << 13) | (frame.priority & dropEligible);
  return { ...frame, priority, untagged: dscp === 'trust' ? frame.untagged : withDscp(frame, dscp) };
}

function withDscp(frame: Frame, dscp: number): Uint8Array {
  const ip = ipHeaderOf(frame);
  if (!ip || ip === 'unreadable' || ip.dscp === dscp) return frame.untagged;
  const marked = frame.untagged.slice();
  const packet = new DataView(marked.buffer, 14);
  const before = packet.getUint16(0);
  if (frame.etherType === ipv4) {
    packet.setUint8(1, (dscp << 2) | (before & 3));
    packet.setUint16(10, adjusted(packet.getUint16(10), before, packet.getUint16(0)));
  } else {
    packet.setUint16(0, (before & 0xf03f) | (dscp << 6));
  }
  return marked;
}

/** The Internet checksum after one of its words has changed (RFC 1624). */
function adjusted(checksum: number, before: number, after: number): number {
  const sum = (~checksum & 0xffff) + (~before & 0xffff) + after;
  const folded = (sum & 0xffff) + (sum >> 16);
  return ~((folded & 0xffff) + (folded >> 16)) & 0xffff;
}
