// Run by pack.mjs: runs the parts of a program as their loader does, once for each list of arguments, and writes a file with the parts
// that were loaded each time, in this order, and with the code caches of `scripts`, made after the first start that needs them: they
// hold the functions that it ran.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Script } from 'node:vm';

const { parts, scripts = [], entry, starts, file, out } = JSON.parse(readFileSync(0, 'utf8'));
const code = new Map(parts.map((part) => [part.id, part.code]));
const require = createRequire(import.meta.url);
const compiled = scripts.map(({ code, line }) => new Script(code, { filename: file, lineOffset: line }));
const functions = new Map();
scripts.forEach(({ ids }, i) => {
  const values = compiled[i].runInThisContext();
  ids.forEach((id, n) => functions.set(id, values[n]));
});
const run = (id) => {
  if (!functions.has(id)) functions.set(id, new Script(code.get(id), { filename: file }).runInThisContext());
  return functions.get(id);
};

const loadedBy = [];
const caches = [];
for (const stream of [process.stdout, process.stderr]) stream.write = () => true;
function start(args) {
  process.argv = [process.execPath, file, ...args];
  const loaded = new Map();
  loadedBy.push(loaded);
  const load = (id) => {
    if (!code.has(id)) return require(id);
    if (!loaded.has(id)) {
      const module = {};
      loaded.set(id, module);
      run(id)(load, module, import.meta);
    }
    return loaded.get(id).exports;
  };
  load(`./${entry}`);
}

start(starts[0]);
process.on('beforeExit', () => {
  const last = loadedBy.at(-1);
  scripts.forEach(({ ids }, i) => {
    if (last.has(ids[0])) caches[i] ??= compiled[i].createCachedData().toString('base64');
  });
  if (loadedBy.length < starts.length) return setImmediate(start, starts[loadedBy.length]);
  process.exitCode = 0;
  writeFileSync(out, JSON.stringify({ loadedBy: loadedBy.map((loaded) => [...loaded.keys()]), caches }));
});
