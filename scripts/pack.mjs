// Makes one executable file of a program that was split into parts. Node reads and parses a whole file before it runs any of it, so
// everything but a small loader is kept out of the parser's sight, in a comment. A part is taken from there and run when it is first
// imported. The parts that common commands begin with stand there as they are and come with V8's code cache, so they are not even
// compiled (by another version of Node they are: V8 refuses a cache that is not its own); those that are needed by the same commands
// are one script, a bundle, which is loaded as a whole. The other parts (servers, the agent, job files, other commands) are
// compressed, because each megabyte of a file costs every start three milliseconds.
//
//   #!/usr/bin/env node
//   …            the loader: where each part is, and how to get it
//   /*
//   …            bundles as they are
//   …            their code caches, and the other parts: a line of base64 each
//   */
//
// Line numbers in stack traces are those of this file, those of compressed parts go on after its end; its source map covers all.
import { transform } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import { joinSourceMaps } from './source-map.mjs';

/** What stands in a part for the end of a comment. */
const endOfComment = '*\\~/';

/**
 * The text and the source map of the one file. The build was one with `splitting`, `format: 'esm'`, `sourcemap: 'inline'` and
 * `write: false`; `entry` is the name of its only entry point, `file` where the text will be. What is loaded by `starts`, lists of
 * arguments, gets a code cache; it holds what the first start that needs a part runs of it.
 */
export async function pack({ outputFiles }, { entry, file, starts }) {
  const all = new Map((await Promise.all(outputFiles.map(asPart))).map((part) => [part.id, part]));
  const program = { parts: [...all.values()].map(({ id, code }) => ({ id, code })), entry, file };
  const { loadedBy } = runStarts({ ...program, starts });

  const pieces = [];
  const add = (text) => {
    pieces.push(text);
    return [pieces.length - 1, text.length];
  };
  const found = {};
  let line = lines(head({}, [], entry)); // the same whatever the places are
  const bundles = bundled(loadedBy).map((ids, bundle) => {
    const code = bundleOf(ids.map((id) => all.get(id).code));
    const start = line;
    line += 1;
    ids.forEach((id, i) => {
      found[id] = { line, column: 1 + wrapper.length, place: [bundle, i] };
      line += lines(all.get(id).code);
    });
    line += 1;
    return { ids, line: start, code };
  });
  const places = bundles.map(({ code }) => add(code.replaceAll('*/', endOfComment)));
  const cachePlaces = runStarts({ ...program, starts, scripts: bundles }).caches.map((cache) => add(`${cache}\n`));
  for (const { id, code } of all.values()) {
    if (found[id] !== undefined) continue;
    const place = add(`${deflateRawSync(code, { level: 9 }).toString('base64')}\n`);
    found[id] = { line, column: wrapper.length, place: [line, place] };
    line += lines(code);
  }

  // Places are counted from the end of the file, because the loader that holds them is at its beginning.
  const end = `*/\n//# sourceMappingURL=${basename(file)}.map\n`;
  const fromEnd = [];
  pieces.reduceRight((after, piece, i) => (fromEnd[i] = after + piece.length), end.length);
  const at = ([piece, length]) => [fromEnd[piece], length];
  const parts = Object.fromEntries(
    Object.entries(found).map(([id, { place }]) => [id, Array.isArray(place[1]) ? [place[0], ...at(place[1])] : place]),
  );
  const scriptPlaces = bundles.map(({ line }, i) => [line, ...at(places[i]), ...at(cachePlaces[i])]);
  const text = head(parts, scriptPlaces, entry) + pieces.join('') + end;
  if (Buffer.byteLength(text) !== text.length) throw new Error('not everything is ASCII, so places in the file would be wrong');
  const maps = Object.entries(found).map(([id, { line, column }]) => ({ line, column, map: all.get(id).map }));
  return { text, map: JSON.stringify(joinSourceMaps(maps)) };
}

/** The parts that are loaded by the same starts, each in the order of their first loading. */
function bundled(loadedBy) {
  const bundles = new Map();
  for (const id of new Set(loadedBy.flat())) {
    const key = loadedBy.map((ids) => ids.includes(id)).join();
    bundles.set(key, [...(bundles.get(key) ?? []), id]);
  }
  return [...bundles.values()];
}

/** A script whose value is the list of the functions that parts are. */
const bundleOf = (codes) => `[\n${codes.map((code, i) => `${i === 0 ? ' ' : ','}${code}`).join('')}]\n`;

const wrapper = '(function(require,module,importMeta){';

/** A module as a CommonJS function. Names are kept for stack traces, and lines short enough to be shown in them. */
async function asPart({ path, text }) {
  const { code, map } = await transform(text, {
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    sourcefile: basename(path).replace(/js$/, 'mjs'), // packages are imported as Node's ES modules do it
    sourcemap: 'external',
    sourcesContent: false,
    legalComments: 'none',
    minifyWhitespace: true,
    lineLimit: 160,
    supported: { 'dynamic-import': false },
  });
  if (code.includes(endOfComment)) throw new Error(`${path} contains ${endOfComment}`);
  return { id: `./${basename(path)}`, code: `${wrapper}${code}})\n`, map: JSON.parse(map) };
}

/** Runs the program with each of the arguments, in the Node that runs this: what it loads, and the code caches of `scripts`. */
function runStarts(options) {
  const dir = mkdtempSync(join(tmpdir(), 'orch-build-'));
  const out = join(dir, 'caches.json');
  try {
    const { status, stderr } = spawnSync(process.execPath, [fileURLToPath(new URL('code-cache.mjs', import.meta.url))], {
      input: JSON.stringify({ ...options, out }),
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`the program could not be run:\n${stderr}`);
    return JSON.parse(readFileSync(out, 'utf8'));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const lines = (text) => text.split('\n').length - 1;

/**
 * The builtin modules of Node are loaded when something of them is first used: some take longer than a whole command.
 * The file stays open, so that a process whose file is replaced by a newer one still finds its own parts.
 */
const head = (places, bundles, entry) => `#!/usr/bin/env node
"use strict";
const fs = require("node:fs");
const vm = require("node:vm");
const file = fs.openSync(__filename, "r");
const size = fs.fstatSync(file).size;
const importMeta = { get url() { return require("node:url").pathToFileURL(__filename).href } };
const places = ${JSON.stringify(places)};
const bundles = ${JSON.stringify(bundles)};
const loaded = new Map();
function load(id) {
  let module = loaded.get(id);
  if (module !== undefined) return module.exports;
  if (places[id] === undefined) {
    const exports = id.startsWith("node:") ? builtin(id) : require(id);
    loaded.set(id, { exports });
    return exports;
  }
  loaded.set(id, (module = {}));
  part(module, places[id]);
  return module.exports;
}
function part(module, place) {
  const run = place.length === 2 ? bundle(place[0])[place[1]] : compressed(place);
  run(load, module, importMeta);
}
function compressed([lineOffset, at, length]) {
  return script(require("node:zlib").inflateRawSync(bytes(read(at, length))).latin1Slice(), lineOffset);
}
function bundle(index) {
  const [lineOffset, at, length, cacheAt, cacheLength] = bundles[index];
  return (bundles[index].run ??= script(read(at, length).replaceAll(${JSON.stringify(endOfComment)}, "*/"), lineOffset, bytes(read(cacheAt, cacheLength))));
}
function script(code, lineOffset, cachedData) {
  return new vm.Script(code, { filename: __filename, lineOffset, cachedData }).runInThisContext();
}
function bytes(base64) {
  return Buffer.from(base64, "base64");
}
function read(fromEnd, length) {
  const bytes = Buffer.allocUnsafe(length);
  fs.readSync(file, bytes, 0, length, size - fromEnd);
  return bytes.latin1Slice();
}
function builtin(id) {
  return new Proxy({}, {
    get: (_, name) => require(id)[name],
    ownKeys: () => Reflect.ownKeys(require(id)),
    getOwnPropertyDescriptor: (_, name) => ({ ...Reflect.getOwnPropertyDescriptor(require(id), name), configurable: true }),
  });
}
load("./${entry}");
/*
`;
