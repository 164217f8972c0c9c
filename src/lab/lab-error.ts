import { Failure } from '../base/failure.ts';

/** The lab cannot be what was asked for; one line. */
export class LabError extends Failure {
  override name = 'LabError';
}
