import { macFromBytes, type MacAddress } from '../../domain/mac-address.ts';
import { check, libc, SystemError } from '../libc.ts';

const nameLength = 16;
const getName = 0x8910; // SIOCGIFNAME
const getHardwareAddress = 0x8927; // SIOCGIFHWADDR
const getFlags = 0x8913; // SIOCGIFFLAGS
const setFlags = 0x8914; // SIOCSIFFLAGS
const getMtu = 0x8921; // SIOCGIFMTU
const isUp = 0x1;
const isRunning = 0x40;

/** The interface's index in this thread's namespace. @throws SystemError ENODEV */
export function interfaceIndex(name: string): number {
  const index = libc().if_nametoindex(name);
  return check(index === 0 ? -1 : index, 'interface', name);
}

/** The name of the interface with this index in this thread's namespace, null if there is none. */
export function interfaceName(index: number): string | null {
  const ifreq = new Uint8Array(40);
  new DataView(ifreq.buffer).setInt32(nameLength, index, true);
  try {
    const name = request('', getName, ifreq).subarray(0, nameLength);
    return Buffer.from(name.subarray(0, name.indexOf(0))).toString();
  } catch (error) {
    if (error instanceof SystemError) return null;
    throw error;
  }
}

export function interfaceExists(name: string): boolean {
  try {
    return interfaceIndex(name) > 0;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}

/** @throws SystemError ENODEV */
export function interfaceAddress(name: string): MacAddress {
  return macFromBytes(request(name, getHardwareAddress), nameLength + 2);
}

/** Octets behind the Ethernet header. @throws SystemError ENODEV */
export function interfaceMtu(name: string): number {
  return new DataView(request(name, getMtu).buffer).getInt32(nameLength, true);
}

/** Administratively up and with a carrier. @throws SystemError ENODEV */
export function interfaceRuns(name: string): boolean {
  const reply = request(name, getFlags);
  const flags = reply[nameLength]! | (reply[nameLength + 1]! << 8);
  return (flags & (isUp | isRunning)) === (isUp | isRunning);
}

/** Sets an interface of this thread's namespace administratively up or down. @throws SystemError */
export function setInterfaceUp(name: string, up: boolean): void {
  const ifreq = request(name, getFlags);
  ifreq[nameLength] = (ifreq[nameLength]! & ~isUp) | (up ? isUp : 0);
  request(name, setFlags, ifreq);
}

/** An ifreq as the kernel left it after the request. */
function request(name: string, what: number, ifreq: Uint8Array = new Uint8Array(40)): Uint8Array {
  const { socket, ioctl, close } = libc();
  ifreq.set(Buffer.from(name).subarray(0, nameLength - 1));
  const fd = check(socket(2, 2, 0), 'socket', 'for interface requests');
  try {
    check(ioctl(fd, what, ifreq), 'interface', name);
  } finally {
    close(fd);
  }
  return ifreq;
}
