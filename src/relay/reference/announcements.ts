import { etherTypes } from '../../domain/packet-numbers.ts';
import { arp, icmpv6, ipv6, packetOf } from './headers.ts';
import type { Frame } from './frame.ts';
import { bucketOf } from '../contract/policy.ts';
import { TokenBucket } from './token-bucket.ts';

const { rarp } = etherTypes;

/** How many are told at once, and then a second. */
const burst = 20;
const perSecond = 100;

export function announcementBucket(): TokenBucket {
  return new TokenBucket(bucketOf({ max: 8 * perSecond, burst }));
}

/** A gratuitous ARP (RFC 5227, 3), a RARP, or an unsolicited neighbour advertisement (RFC 4861, 7.2.6). */
export function isAnnouncement({ etherType, inSnap, untagged }: Frame): boolean {
  if (inSnap) return false;
  const payload = packetOf(untagged);
  if (etherType === rarp) return true;
  if (etherType === arp) {
    const isIpv4 = payload.length >= 28 && payload[2] === 8 && payload[3] === 0 && payload[5] === 4;
    return isIpv4 && Buffer.compare(payload.subarray(14, 18), payload.subarray(24, 28)) === 0;
  }
  const solicited = 0x40;
  return (
    etherType === ipv6 &&
    payload.length >= 45 &&
    payload[6] === icmpv6 &&
    payload[40] === 136 &&
    (payload[44]! & solicited) === 0
  );
}
