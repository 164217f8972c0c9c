import { readFileSync } from 'node:fs';
import { etherTypes } from '../domain/packet-numbers.ts';

/** Columns of packet(7)'s list. */
const [protocolColumn, interfaceColumn] = [3, 4];

/** Whether another program waits for ECP on the interface with this index, by the list of this thread's packet sockets. */
export function hasOtherStation(
  index: number,
  list = readFileSync('/proc/thread-self/net/packet', 'utf8'),
): boolean {
  const ecp: readonly number[] = [etherTypes.ecp, etherTypes.draftEcp];
  return list
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .some(
      (columns) =>
        Number(columns[interfaceColumn]) === index &&
        ecp.includes(parseInt(columns[protocolColumn] ?? '', 16)),
    );
}
