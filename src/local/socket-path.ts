import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { Failure } from '../base/failure.ts';
import { socketPathOctets } from '../base/socket-path.ts';

/** A local socket could not be had, or who serves it said no. */
export class LocalSocketError extends Failure {
  override name = 'LocalSocketError';
  /** nobody serves it, so that to start somebody may help */
  readonly unserved: boolean;

  constructor(message: string, unserved = false) {
    super(message);
    this.unserved = unserved;
  }
}

/** Why no socket can be made at the path, for which the system has but EACCES or EINVAL to say; null if it can. */
export function socketFault(path: string): string | null {
  const octets = Buffer.byteLength(path);
  if (octets > socketPathOctets)
    return `is ${octets} octets long; ${socketPathOctets} at most would be right`;
  const directory = dirname(path);
  return existsSync(directory) ? null : `there is no directory ${directory}; one that exists would be right`;
}

/** @throws LocalSocketError if a running process serves the socket */
export async function refuseIfServed(path: string): Promise<void> {
  if (await answers(path)) throw new LocalSocketError(`${path}: a running process serves it already`);
}

/** Whether somebody accepts connections on the socket. */
export function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
