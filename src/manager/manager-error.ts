import { Failure } from '../base/failure.ts';

/** The manager cannot start: one line that names the key of the configuration and what would be right. */
export class ManagerError extends Failure {
  override name = 'ManagerError';
}
