import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The path of the script `name` beside the module at `url`: TypeScript in the repository, JavaScript in the package. */
export function siblingScript(url: string, name: string): string {
  return fileURLToPath(new URL(`./${name}${extname(url)}`, url));
}
