import { Invalid } from '../base/invalid.ts';

/** LLDP's system name has so many octets at most (802.1AB 8.5.6). */
const most = 255;

/** @throws Invalid unless it may be what a system calls itself by LLDP: 1 to 255 characters in one line. */
export function parseSystemName(value: string): string {
  if (value.length < 1 || value.length > most || /\p{Cc}/u.test(value))
    throw new Invalid(
      `"${value}" is not a system's name; 1 to ${most} characters in one line are, like host7`,
    );
  return value;
}

/**
 * Whether both name one system. Letters count alike in either case, as in the DNS, where the names come from; and a short
 * name is that of any domain, since some systems say the one and some the other.
 */
export function sameSystem(a: string, b: string): boolean {
  const [one, other] = [a, b].map((name) => name.toLowerCase().replace(/\.$/, '')) as [string, string];
  if (one === other) return true;
  if (one.includes('.') && other.includes('.')) return false;
  return one.split('.')[0] === other.split('.')[0];
}

/** What a system says of itself, its name for one, with each control character replaced; null for one that says nothing. */
export function cleanText(said: string | null): string | null {
  return said?.replaceAll(/\p{Cc}/gu, '\u{fffd}').slice(0, most) || null;
}
