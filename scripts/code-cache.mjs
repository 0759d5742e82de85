// Run by pack.mjs: runs the parts of a program as their loader does, once for each list of arguments, and writes a file with those
// that were loaded, in this order, and their code caches, which hold the functions that ran.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Script } from 'node:vm';

const { parts, entry, starts, file, firstLine, out } = JSON.parse(readFileSync(0, 'utf8'));
const code = new Map(parts.map((part) => [part.id, part.code]));
const require = createRequire(import.meta.url);
const scripts = new Map();
let line = firstLine;

function script(id) {
  if (!scripts.has(id)) {
    scripts.set(id, new Script(code.get(id), { filename: file, lineOffset: line }));
    line += code.get(id).split('\n').length - 1;
  }
  return scripts.get(id);
}

for (const stream of [process.stdout, process.stderr]) stream.write = () => true;
for (const args of starts) {
  process.argv = [process.execPath, file, ...args];
  const loaded = new Map();
  const load = (id) => {
    if (!code.has(id)) return require(id);
    if (!loaded.has(id)) {
      const module = {};
      loaded.set(id, module);
      script(id).runInThisContext()(load, module, import.meta);
    }
    return loaded.get(id).exports;
  };
  load(`./${entry}`);
}
process.on('exit', () => {
  process.exitCode = 0;
  writeFileSync(out, JSON.stringify([...scripts].map(([id, one]) => [id, one.createCachedData().toString('base64')])));
});
