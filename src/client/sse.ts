/** One server-sent event (WHATWG HTML, section 9.2): its type and data, and the id last set. */
export interface ServerSentEvent {
  readonly type: string;
  readonly data: string;
}

const mostPending = 64 * 1024 * 1024;

/** Splits a stream of text into server-sent events. Pure: text in, events out. */
export class SseParser {
  #pending = '';
  #type = '';
  #data: string[] = [];
  #held = 0;

  /** @throws RangeError when one event grows beyond 64 Mi characters */
  push(text: string): ServerSentEvent[] {
    const lines = (this.#pending + text).split('\n');
    this.#pending = lines.pop()!;
    const events = lines.flatMap((line) => this.#line(line.replace(/\r$/, '')) ?? []);
    if (this.#pending.length + this.#held > mostPending)
      throw new RangeError('a server-sent event is too long');
    return events;
  }

  #line(line: string): ServerSentEvent | undefined {
    if (line === '') return this.#dispatch();
    const [, field, value] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    if (field === 'event') this.#type = value ?? '';
    if (field === 'data') {
      this.#data.push(value ?? '');
      this.#held += line.length;
    }
    return undefined;
  }

  #dispatch(): ServerSentEvent | undefined {
    const event = { type: this.#type || 'message', data: this.#data.join('\n') };
    const isEvent = this.#data.length > 0;
    this.#type = '';
    this.#data = [];
    this.#held = 0;
    return isEvent ? event : undefined;
  }
}
