import type { ContentfulStatusCode } from 'hono/utils/http-status';

/**
 * A request that is refused: the HTTP status, and one line that says what is wrong and what would be right. It starts
 * with the key that is wrong, if it is one.
 */
export class Refusal extends Error {
  override name = 'Refusal';
  readonly status: ContentfulStatusCode;
  /** the path of the key that is wrong, if it is one */
  readonly field: string | undefined;

  constructor(status: ContentfulStatusCode, message: string, field?: string) {
    super(field ? `${field}: ${message}` : message);
    this.status = status;
    this.field = field;
  }
}
