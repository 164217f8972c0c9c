import { Failure } from './failure.ts';

/** A value from outside that cannot be what it claims to be; the message says what was wrong and what would be right. */
export class Invalid extends Failure {
  override name = 'Invalid';

  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, 2, options);
  }
}
