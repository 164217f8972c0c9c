import type { NullVid, Vid } from '../../domain/vid.ts';
import type { PortName, Stranger } from '../contract/relay.ts';
import type { Frame } from './frame.ts';
import { Recent } from './recent.ts';

const mostStrangers = 4096;

/** Source addresses that have no VSI at the port they came in by. */
export class Strangers {
  readonly #strangers = new Recent<string, Stranger>(mostStrangers);

  remember(port: PortName, { source, wireVid }: Frame, now: bigint): void {
    const key = `${port} ${wireVid} ${source}`;
    const frames = (this.#strangers.get(key)?.frames ?? 0) + 1;
    this.#strangers.set(key, {
      port,
      mac: source,
      wireVid: wireVid as Vid | NullVid,
      frames,
      lastFrame: now,
    });
  }

  all(): Stranger[] {
    return [...this.#strangers.values()];
  }

  keepPorts(stays: (port: PortName) => boolean): void {
    for (const [key, { port }] of this.#strangers) if (!stays(port)) this.#strangers.delete(key);
  }
}
