import { Invalid } from '../base/invalid.ts';

/** Where the manager listens: a TCP address, port 0 for one that is free, or a unix socket's path. */
export type Listen =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

export const defaultListen = '127.0.0.1:7470';
export const listenForms = `${defaultListen}, [::1]:7470 or unix:/run/hairpin.sock`;

/** @throws Invalid */
export function parseListen(text: string): Listen {
  if (text.startsWith('unix:/')) return { kind: 'unix', path: text.slice('unix:'.length) };
  const [, six, four, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = six ?? four;
  if (host !== undefined && Number(port) <= 0xffff) return { kind: 'tcp', host, port: Number(port) };
  throw new Invalid(`"${text}" is not an address; ${listenForms} would be right`);
}

/** "127.0.0.1:7470", "[::1]:7470" */
export function hostAndPort(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
