import ipaddr from 'ipaddr.js';
import { ipProtocols, withIcmpType, withPorts } from '../../domain/packet-numbers.ts';
import type { AccessList, AccessRule, IpPrefix, Policy, Rates } from '../../domain/port-profile.ts';
import { limits, octets } from '../../domain/limits.ts';
import { RelayError } from './relay.ts';

/** @throws RelayError for the first thing in a VSI's policy that cannot be */
export function checkPolicy(policy: Policy, where: string): void {
  const { vlan, trunk, rate, storm, accessList, marking, mirror } = policy;
  checkNumber(vlan, 1, 4094, `${where}: VLAN`);
  checkTrunk(vlan, trunk, `${where}: trunk`);
  checkName(policy.tenant, `${where}: tenant`);
  checkRates(rate, `${where}: rate`);
  for (const [kind, { framesPerSecond, burst }] of Object.entries(storm)) {
    checkNumber(framesPerSecond, 1, limits.mostStorm, `${where}: storm ${kind}: frames per second`);
    checkNumber(burst, 1, limits.mostStorm, `${where}: storm ${kind}: burst`);
  }
  checkAccessList(accessList, where);
  if (marking.dscp !== 'trust') checkNumber(marking.dscp, 0, 63, `${where}: marking: DSCP`);
  if (marking.pcp !== 'trust') checkNumber(marking.pcp, 0, 7, `${where}: marking: PCP`);
  checkNumber(marking.defaultPcp, 0, 7, `${where}: marking: default PCP`);
  if (!mirror) return;
  checkName(mirror.session, `${where}: mirror session`);
  if (mirror.filter) checkAccessList(mirror.filter, `${where}: mirror filter`);
  if (mirror.truncate !== undefined)
    checkNumber(mirror.truncate, limits.truncate.least, limits.truncate.most, `${where}: mirror truncate`);
  if (mirror.sample !== undefined)
    checkNumber(mirror.sample, limits.sample.least, limits.sample.most, `${where}: mirror sample`);
}

export function checkRates(rates: Rates, where: string): void {
  for (const [direction, { max, burst }] of Object.entries(rates)) {
    checkNumber(max, limits.rate.least, limits.rate.most, `${where} ${direction}: max`);
    checkNumber(burst, 1, limits.mostBurst, `${where} ${direction}: burst`);
  }
}

/** A name of a tenant, a mirror session or a set. */
export function checkName(name: string, where: string): void {
  if (!name || octets(name) > limits.nameOctets || name.includes('\0'))
    throw new RelayError(`${where} "${name}"; its name has 1 to ${limits.nameOctets} octets`);
}

export function checkNumber(value: number, least: number, most: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < least || value > most)
    throw new RelayError(`${what} ${value}; it is ${least} to ${most}`);
}

function checkTrunk(vlan: number, trunk: readonly number[], where: string): void {
  if (trunk.length > limits.trunk)
    throw new RelayError(`${where}: ${trunk.length} VLANs; ${limits.trunk} are possible`);
  trunk.forEach((one, i) => {
    checkNumber(one, 1, 4094, `${where}: VLAN`);
    if (one === vlan) throw new RelayError(`${where}: ${one} is the VLAN of its own`);
    if (i && one <= trunk[i - 1]!) throw new RelayError(`${where}: ${one} is not above the one before it`);
  });
}

function checkAccessList({ rules, sets = {} }: AccessList, where: string): void {
  if (rules.length > limits.rules)
    throw new RelayError(`${where}: ${rules.length} rules; ${limits.rules} are possible`);
  const names = Object.keys(sets);
  if (names.length > limits.sets)
    throw new RelayError(`${where}: ${names.length} sets; ${limits.sets} are possible`);
  const all = Object.values(sets).reduce((sum, prefixes) => sum + prefixes.length, 0);
  if (all > limits.allPrefixes)
    throw new RelayError(`${where}: ${all} prefixes in its sets; ${limits.allPrefixes} are possible`);
  for (const [name, prefixes] of Object.entries(sets)) {
    checkName(name, `${where}: set`);
    if (prefixes.length > limits.prefixes)
      throw new RelayError(
        `${where}: set ${name}: ${prefixes.length} prefixes; ${limits.prefixes} are possible`,
      );
    for (const prefix of prefixes) checkPrefix(prefix, `${where}: set ${name}`);
  }
  rules.forEach((rule, i) => checkRule(rule, sets, `${where}: rule ${i + 1}`));
}

function checkRule(rule: AccessRule, sets: NonNullable<AccessList['sets']>, where: string): void {
  for (const field of ['source', 'destination'] as const) {
    const match = rule[field];
    if (match && 'address' in match) checkPrefix(match, `${where}: ${field}`);
    else if (match && !Object.hasOwn(sets, match.set))
      throw new RelayError(`${where}: ${field}: the list has no set ${match.set}`);
  }
  for (const field of ['sourcePorts', 'destinationPorts'] as const) {
    const range = rule[field];
    if (!range) continue;
    checkNumber(range.from, 0, 65_535, `${where}: ${field} from`);
    checkNumber(range.to, range.from, 65_535, `${where}: ${field} to`);
  }
  const { etherType, vlan, protocol, icmpType, dscp } = rule;
  if (etherType !== undefined) checkNumber(etherType, 0x0600, 0xffff, `${where}: EtherType`);
  if (vlan !== undefined) checkNumber(vlan, 1, 4094, `${where}: VLAN`);
  if (protocol !== undefined) checkNumber(protocol, 0, 255, `${where}: protocol`);
  if (icmpType !== undefined) checkNumber(icmpType, 0, 255, `${where}: ICMP type`);
  if (dscp !== undefined) checkNumber(dscp, 0, 63, `${where}: DSCP`);
  if ((rule.sourcePorts ?? rule.destinationPorts) && !withPorts.includes(protocol))
    throw new RelayError(`${where}: ports go with protocol 6, 17 or 132`);
  if (rule.tcpEstablished && protocol !== ipProtocols.tcp)
    throw new RelayError(`${where}: tcpEstablished goes with protocol 6`);
  if (icmpType !== undefined && !withIcmpType.includes(protocol))
    throw new RelayError(`${where}: an ICMP type goes with protocol 1 or 58`);
}

function checkPrefix({ address, length }: IpPrefix, where: string): void {
  const isAddress = ipaddr.isValid(address);
  const most = isAddress && ipaddr.parse(address).kind() === 'ipv4' ? 32 : 128;
  if (!isAddress || !Number.isInteger(length) || length < 0 || length > most)
    throw new RelayError(`${where} ${address}/${length} is no IP prefix`);
}
