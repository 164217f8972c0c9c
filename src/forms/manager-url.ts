import type { RequestOptions } from 'node:http';
import { socketPathOctets } from '../base/socket-path.ts';

export const managerUrlForm = 'http://HOST:PORT or unix:/PATH';

/** Where "http://HOST:PORT" or "unix:/PATH" is; null for what is neither. */
export function managerAt(url: string): Pick<RequestOptions, 'host' | 'port' | 'socketPath'> | null {
  if (url.startsWith('unix:/')) {
    const socketPath = url.slice('unix:'.length);
    return Buffer.byteLength(socketPath) <= socketPathOctets ? { socketPath } : null;
  }
  const parsed = URL.parse(url);
  if (parsed?.protocol !== 'http:' || parsed.pathname !== '/') return null;
  if (parsed.search || parsed.hash || parsed.username || parsed.password) return null;
  return { host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'), port: parsed.port || 80 };
}
