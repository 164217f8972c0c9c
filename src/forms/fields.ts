import { z } from 'zod';
import { Invalid } from '../base/invalid.ts';
import { parseUnicastMac } from '../domain/mac-address.ts';
import { parseManagerId } from '../domain/manager-id.ts';
import { parseProfileKey, profileKey } from '../domain/profile-ref.ts';
import { parseSystemName } from '../domain/system-name.ts';
import { parseVid } from '../domain/vid.ts';
import { formatVlanRange, parseVlanRange } from '../domain/vlan-range.ts';
import { parseVsiId } from '../domain/vsi-id.ts';
import * as packet from './packet-fields.ts';

/**
 * A codec between the form that people write and the domain's value. What `parse` throws as Invalid is the line that
 * the issue gives; it names the value and what would be right.
 */
function form<In extends z.ZodType, T>(
  input: In,
  parse: (text: z.output<In>) => T,
  format: (value: T) => z.input<In>,
) {
  return z.codec(input, z.custom<T>(), {
    decode: (text, context) => {
      try {
        return parse(text);
      } catch (error) {
        if (!(error instanceof Invalid)) throw error;
        context.issues.push({ code: 'custom', message: error.message, input: text });
        return z.NEVER;
      }
    },
    encode: (value) => format(value) as never,
  });
}

const same = <T>(value: T): T => value;
const textOrNumber = z.union([z.string(), z.number()]);

/** A VM NIC's address: "52:54:00:00:00:0a" */
export const mac = form(z.string(), parseUnicastMac, same).meta({ examples: ['52:54:00:00:00:0a'] });
/** 1 to 4094 */
export const vlan = form(z.number(), parseVid, same).meta({ description: '1 to 4094', examples: [10] });
/** 100 or "200-299" */
export const vlanRange = form(textOrNumber, parseVlanRange, formatVlanRange).meta({
  examples: [100, '200-299'],
});
/** "fa9b7fff-b0a0-4893-8e0e-beef4ff18f8f", with or without hyphens */
export const vsiId = form(z.string(), parseVsiId, same).meta({
  examples: ['fa9b7fff-b0a0-4893-8e0e-beef4ff18f8f'],
});
/** "dc1" or "0x0c" */
export const managerId = form(z.string(), parseManagerId, same).meta({ examples: ['dc1', '0x0c'] });
/** "dc1/17/1": a port profile by manager id, type and version */
export const profile = form(z.string(), (text) => profileKey(parseProfileKey(text)), same).meta({
  examples: ['dc1/17/1'],
});
/** "10.0.0.0/8", "2001:db8::/32"; an address alone is that address only */
export const prefix = form(z.string(), packet.parsePrefix, packet.formatPrefix).meta({
  examples: ['10.0.0.0/8', '2001:db8::/32'],
});
/** "10.77.1.11", "2001:db8::1" */
export const ipAddress = form(z.string(), packet.parseIpAddress, same).meta({
  examples: ['10.77.1.11', '2001:db8::1'],
});
/** "10.0.0.0/8", or "@web": the list's set of that name */
export const addressMatch = form(z.string(), packet.parseAddressMatch, packet.formatAddressMatch).meta({
  examples: ['10.0.0.0/8', '@web'],
});
/** "52:54:00:00:00:0a", or with a mask: "01:00:00:00:00:00/01:00:00:00:00:00" is every group address */
export const macMatch = form(z.string(), packet.parseMacMatch, packet.formatMacMatch).meta({
  examples: ['52:54:00:00:00:0a', '01:00:5e:00:00:00/ff:ff:ff:80:00:00'],
});
/** "80", "8000-8080" or 80 */
export const ports = form(textOrNumber, packet.parsePorts, packet.formatPorts).meta({
  examples: ['80', '8000-8080'],
});
/** "ipv4", "arp", "ipv6", "0x0806" or the number */
export const etherType = form(textOrNumber, packet.parseEtherType, packet.formatEtherType).meta({
  examples: ['ipv4', '0x88b7'],
});
/** "tcp", "udp", "icmp", … or the protocol number */
export const protocol = form(textOrNumber, packet.parseProtocol, packet.formatProtocol).meta({
  examples: ['tcp', 89],
});

/** What names a tenant, a bridge, a station, an agent or a mirror session. */
export const name = form(z.string(), parseName, same).meta({ examples: ['rack1-a'] });

/** @throws Invalid unless letters, digits, dots, hyphens and underscores, at most 63, the first a letter or digit. */
export function parseName(value: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(value))
    throw new Invalid(
      `"${value}" is not a name; up to 63 letters, digits, ".", "_" and "-" are, like rack1-a`,
    );
  return value;
}

/** A title for people, or an interface name: 1 to 64 characters in one line. */
export const title = form(z.string(), parseTitle, same).meta({ minLength: 1, maxLength: 64 });

function parseTitle(value: string): string {
  if (value.length < 1 || value.length > 64 || /\p{Cc}/u.test(value))
    throw new Invalid(`"${value}" does not fit; 1 to 64 characters in one line do`);
  return value;
}

/** What a system calls itself by LLDP: 1 to 255 characters in one line. */
export const systemName = form(z.string(), parseSystemName, same).meta({ minLength: 1, maxLength: 255 });

/** A sentence: up to 500 characters. */
export const reason = z.string().max(500);

/** microseconds since 1970-01-01T00:00:00Z */
export const timestamp = z
  .int()
  .nonnegative()
  .meta({ description: 'microseconds since 1970-01-01T00:00:00Z' });

export const direction = z.enum(['from-vm', 'to-vm', 'both']);
