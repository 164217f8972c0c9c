import { isIP } from 'node:net';

export interface Addressed {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
}

/**
 * Why a request over TCP is refused as a web page's that has no business here; null: it is not. A page that a browser
 * shows can send requests to the manager in two ways. Its own name may be made to resolve to the manager's address: then
 * `Host` is a name that the manager is not known under (`names`). Or it names the manager, and then the browser says in
 * `Origin` whose page it is.
 * @param bearsToken the request shows the manager's token: no page knows it, and a browser adds it to no request
 */
export function foreign(
  { host, origin }: Addressed,
  names: ReadonlySet<string>,
  bearsToken: boolean,
): string | null {
  if (!bearsToken && !isOurs(hostnameOf(host), names))
    return `Host is "${host ?? ''}", and the manager is not known under that name; an IP address, localhost or one of \`hosts\` in its configuration would be right`;
  if (origin === undefined) return null;
  const from = URL.parse(origin);
  if (from && (from.host === host?.toLowerCase() || names.has(from.hostname))) return null;
  return `Origin is "${origin}", a page that is not the manager's; a name in \`hosts\` of its configuration would be right`;
}

function isOurs(hostname: string, names: ReadonlySet<string>): boolean {
  return isIP(hostname) !== 0 || hostname === 'localhost' || names.has(hostname);
}

/** "Manager.example:7470" → "manager.example", "[::1]:7470" → "::1" */
function hostnameOf(host: string | undefined): string {
  const [, six, name] = /^(?:\[(.*)\]|([^:]*))(?::\d+)?$/.exec(host ?? '') ?? [];
  return (six ?? name ?? '').toLowerCase();
}
