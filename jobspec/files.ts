import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import type { FileAccess } from './hcl/functions/files.ts';

const MAX_BYTES = 16 * 1024 * 1024;

/** Lets `file()` and its like read below one folder, usually that of the job file; links that lead out of it are refused. */
export function filesBelow(directory: string): FileAccess {
  const root = realpathSync(directory);
  const inside = (path: string): string | undefined => {
    let real: string;
    try {
      real = realpathSync(resolve(root, path));
    } catch {
      return undefined;
    }
    if (real !== root && !real.startsWith(root.endsWith(sep) ? root : root + sep)) {
      throw new Error(`${path} is outside of the folder of the job file (${root})`);
    }
    return real;
  };
  return {
    directory: root,
    read(path) {
      const real = inside(path);
      if (real === undefined) return undefined;
      const info = statSync(real);
      if (!info.isFile()) throw new Error(`${path} is not a regular file`);
      if (info.size > MAX_BYTES) throw new Error(`${path} is larger than 16 MB`);
      const bytes = readFileSync(real);
      const text = bytes.toString('utf8');
      if (!Buffer.from(text, 'utf8').equals(bytes)) throw new Error(`contents of ${path} are not valid UTF-8`);
      return text;
    },
    list(path) {
      const real = inside(path);
      if (real === undefined) return [];
      const walk = (folder: string, prefix: string): string[] =>
        readdirSync(join(real, folder), { withFileTypes: true }).flatMap((entry) => {
          const name = prefix + entry.name;
          if (entry.isDirectory()) return walk(join(folder, entry.name), `${name}/`);
          return entry.isFile() ? [name] : [];
        });
      return walk('', '').sort();
    },
  };
}
