import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { replaceFile } from '../api/replace-file.ts';
import { readTolerantly } from '../api/tolerant.ts';

/** What an agent keeps for its next run: a JSON file that is replaced as a whole. */
export class StateFile<T> {
  readonly #path: string;
  readonly #schema: z.ZodType<T>;
  readonly #warn: (message: string) => void;
  #state: (() => T) | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string, schema: z.ZodType<T>, warn: (message: string) => void) {
    this.#path = path;
    this.#schema = schema;
    this.#warn = warn;
  }

  /** Null for the first run, or where something else is in the file. */
  load(): T | null {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch {
      return null;
    }
    const read = readTolerantly(this.#schema, parseJson(text));
    if (read.success) return read.data;
    this.#warn(`${this.#path} is not what was kept there; starting without`);
    return null;
  }

  /** Soon there is what `state` says then: many changes at once are one write. */
  changed(state: () => T): void {
    this.#state = state;
    this.#timer ??= setTimeout(() => this.write(), 50);
  }

  /** What waits is written now. */
  write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#state) return;
    const state = z.encode(this.#schema, this.#state());
    this.#state = null;
    try {
      replaceFile(this.#path, JSON.stringify(state));
    } catch (error) {
      this.#warn(`${this.#path} cannot be written: ${(error as Error).message}`);
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
