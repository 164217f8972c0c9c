/** The lab cannot be what was asked for; one line. */
export class LabError extends Error {
  override name = 'LabError';
}
