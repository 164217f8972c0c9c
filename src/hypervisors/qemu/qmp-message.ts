import type { Timestamp } from '../../domain/migration.ts';

/** What QEMU may send on a monitor socket (qmp-spec, 2.2 to 2.5). */
export type QmpMessage =
  | { readonly kind: 'greeting' }
  | { readonly kind: 'event'; readonly event: QmpEvent }
  | { readonly kind: 'result'; readonly id: unknown; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: unknown; readonly description: string };

export interface QmpEvent {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** by the host's clock; null where QEMU could not tell (-1 in its time stamp) */
  readonly at: Timestamp | null;
}

/** Reads one line; null unless it is a QMP message. */
export function decodeQmp(line: string): QmpMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (!isObject(value)) return null;
  if (isObject(value['QMP'])) return { kind: 'greeting' };
  if (typeof value['event'] === 'string')
    return {
      kind: 'event',
      event: {
        name: value['event'],
        data: isObject(value['data']) ? value['data'] : {},
        at: timestamp(value['timestamp']),
      },
    };
  if ('return' in value) return { kind: 'result', id: value['id'], value: value['return'] };
  const error = value['error'];
  if (isObject(error)) return { kind: 'error', id: value['id'], description: describe(error) };
  return null;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describe(error: Record<string, unknown>): string {
  return typeof error['desc'] === 'string' ? error['desc'] : JSON.stringify(error);
}

function timestamp(value: unknown): Timestamp | null {
  if (!isObject(value)) return null;
  const { seconds, microseconds } = value;
  if (!Number.isSafeInteger(seconds) || !Number.isSafeInteger(microseconds)) return null;
  const at = (seconds as number) * 1e6 + (microseconds as number);
  return (seconds as number) > 0 && Number.isSafeInteger(at) ? at : null;
}
