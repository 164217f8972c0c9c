/** A value from outside that cannot be what it claims to be; the message says what was wrong and what would be right. */
export class Invalid extends Error {
  override name = 'Invalid';
}
