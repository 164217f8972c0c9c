import { Failure } from '../base/failure.ts';

/** The manager refused, or did not answer: one line that says what was wrong and what would be right. */
export class ApiError extends Failure {
  override name = 'ApiError';
  /**
   * The HTTP status; null when there was no answer, so that trying again may help. 200 for an answer that makes no
   * sense, 400 also for what was never sent because it would be refused.
   */
  readonly status: number | null;
  /** the path of the key that was wrong, if it was one */
  readonly field: string | undefined;

  constructor(message: string, status: number | null, field?: string) {
    super(message);
    this.status = status;
    this.field = field;
  }
}
