import { readFileSync } from 'node:fs';
import { replaceFile } from './replace-file.ts';

/** How a state stands in its file, as JSON has it. */
export interface StateForm<T> {
  /** null for what is none */
  decode(kept: unknown): T | null;
  encode(state: T): unknown;
}

/** What an agent keeps for its next run: a JSON file that is replaced as a whole. */
export class StateFile<T> {
  readonly #path: string;
  readonly #form: StateForm<T>;
  readonly #warn: (message: string) => void;
  #state: (() => T) | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string, form: StateForm<T>, warn: (message: string) => void) {
    this.#path = path;
    this.#form = form;
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
    const state = this.#form.decode(parseJson(text));
    if (state !== null) return state;
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
    const state = this.#form.encode(this.#state());
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
