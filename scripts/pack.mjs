// Makes one executable file of a program that was split into parts. Node reads and parses a whole file before it runs any of it, so
// everything but a small loader is kept out of the parser's sight, in a comment. A part is taken from there and run when it is first
// imported. The parts that most commands begin with stand there as they are and come with V8's code cache, so they are not even
// compiled (by another version of Node they are: V8 refuses a cache that is not its own). The others (servers, the agent, job files)
// are compressed, because each megabyte of a file costs every start three milliseconds.
//
//   #!/usr/bin/env node
//   …            the loader: where each part is, and how to get it
//   /*
//   …            parts as they are
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
 * arguments, gets a code cache.
 */
export async function pack({ outputFiles }, { entry, file, starts }) {
  const all = new Map((await Promise.all(outputFiles.map(asPart))).map((part) => [part.id, part]));
  const firstLine = lines(head({}, entry)); // the same whatever the places are
  const early = codeCaches([...all.values()], { entry, starts, file, firstLine });

  const pieces = [];
  const add = (text) => {
    pieces.push(text);
    return [pieces.length - 1, text.length];
  };
  const found = {};
  let line = firstLine;
  for (const [id, cache] of early) {
    const { code } = all.get(id);
    found[id] = { line, code: add(code.replaceAll('*/', endOfComment)), cache };
    line += lines(code);
  }
  for (const one of Object.values(found)) one.cache = add(`${one.cache}\n`);
  for (const { id, code } of all.values()) {
    if (found[id] !== undefined) continue;
    found[id] = { line, code: add(`${deflateRawSync(code, { level: 9 }).toString('base64')}\n`) };
    line += lines(code);
  }

  // Places are counted from the end of the file, because the loader that holds them is at its beginning.
  const end = `*/\n//# sourceMappingURL=${basename(file)}.map\n`;
  const fromEnd = [];
  pieces.reduceRight((after, piece, i) => (fromEnd[i] = after + piece.length), end.length);
  const place = ([piece, length]) => [fromEnd[piece], length];
  const places = Object.fromEntries(
    Object.entries(found).map(([id, { line, code, cache }]) => [id, [line, ...place(code), ...(cache ? place(cache) : [])]]),
  );
  const text = head(places, entry) + pieces.join('') + end;
  if (Buffer.byteLength(text) !== text.length) throw new Error('not everything is ASCII, so places in the file would be wrong');
  const maps = Object.entries(found).map(([id, { line }]) => ({ line, column: wrapper.length, map: all.get(id).map }));
  return { text, map: JSON.stringify(joinSourceMaps(maps)) };
}

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

/** The code caches of the parts that these starts load, in the order of their loading, by the Node that runs this. */
function codeCaches(parts, options) {
  const dir = mkdtempSync(join(tmpdir(), 'orch-build-'));
  const out = join(dir, 'caches.json');
  try {
    const { status, stderr } = spawnSync(process.execPath, [fileURLToPath(new URL('code-cache.mjs', import.meta.url))], {
      input: JSON.stringify({ parts, ...options, out }),
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
const head = (places, entry) => `#!/usr/bin/env node
"use strict";
const fs = require("node:fs");
const vm = require("node:vm");
const file = fs.openSync(__filename, "r");
const size = fs.fstatSync(file).size;
const importMeta = { get url() { return require("node:url").pathToFileURL(__filename).href } };
const places = ${JSON.stringify(places)};
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
function part(module, [lineOffset, codeAt, codeLength, cacheAt, cacheLength]) {
  const text = read(codeAt, codeLength);
  const bytes = (base64) => Buffer.from(base64, "base64");
  const cachedData = cacheAt === undefined ? undefined : bytes(read(cacheAt, cacheLength));
  const code =
    cachedData === undefined
      ? require("node:zlib").inflateRawSync(bytes(text)).latin1Slice()
      : text.replaceAll(${JSON.stringify(endOfComment)}, "*/");
  new vm.Script(code, { filename: __filename, lineOffset, cachedData }).runInThisContext()(load, module, importMeta);
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
