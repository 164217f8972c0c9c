import { TokenBucket, type TokenRate } from '../../base/token-bucket.ts';
import type { PortName } from '../../relay/contract/relay.ts';

export type Log = (level: 'info' | 'warn', message: string) => void;

/** A host's VMs may all start at once; after that, a line now and then says that there is more. */
const linesPerPort: TokenRate = { rate: 1, burst: 1_000 };

/** What became of VSIs, as stations asked for it. A station's flood of requests fills counters, not logs. */
export class RequestLog {
  readonly #log: Log;
  readonly #ports = new Map<PortName, { readonly bucket: TokenBucket; unsaid: number }>();

  constructor(log: Log) {
    this.#log = log;
  }

  say(port: PortName, level: 'info' | 'warn', message: string, now: number): void {
    const said = this.#ports.get(port) ?? { bucket: new TokenBucket(linesPerPort), unsaid: 0 };
    this.#ports.set(port, said);
    if (!said.bucket.take(now)) {
      said.unsaid++;
      return;
    }
    this.#log(level, said.unsaid ? `${message} (after ${said.unsaid} more at ${port})` : message);
    said.unsaid = 0;
  }
}
