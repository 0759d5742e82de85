// Bundles the sources: dist/orchctl.cjs (everything that ships, one executable file), dist/client.mjs
// (the client package) and, with --tests, build/test and build/bench.
// Packages stay outside the bundle; they are loaded only by the commands that need them.
import { build } from 'esbuild';
import { chmodSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const pkg = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const tests = process.argv.includes('--tests');

/** Bundled into the command line, whose cold start counts; everything else is resolved from node_modules when it is first needed. */
const bundled = new Set(['picocolors', 'fast-deep-equal']);
const external = Object.keys({ ...pkg.dependencies, ...pkg.devDependencies }).filter((name) => !bundled.has(name));

// The program is CommonJS: there a package is required where its module is first imported, while a bundle of ES modules would
// load every package at start.
const requireInEsm =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";
const urlInCjs = "const __importMetaUrl = require('node:url').pathToFileURL(__filename).href;";

/** JSON as a string that is parsed when it is first needed: much cheaper to skip over than an object literal. */
const jsonAsText = {
  name: 'json-as-text',
  setup({ onLoad }) {
    onLoad({ filter: /\.json$/ }, ({ path }) => {
      const text = JSON.stringify(JSON.parse(readFileSync(path, 'utf8')));
      return { contents: `export default JSON.parse(${JSON.stringify(text)})`, loader: 'js' };
    });
  },
};

const common = {
  absWorkingDir: root,
  bundle: true,
  plugins: [jsonAsText],
  platform: 'node',
  target: 'node20',
  external,
  sourcemap: 'linked',
  legalComments: 'none',
  logLevel: 'warning',
  define: { __ORCH_VERSION__: JSON.stringify(pkg.version) },
};

const walk = (dir, ends) =>
  readdirSync(join(root, dir), { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    return entry.isDirectory() ? walk(path, ends) : path.endsWith(ends) ? [path] : [];
  });

const jobs = [
  build({
    ...common,
    entryPoints: ['bin/orchctl.ts'],
    outfile: 'dist/orchctl.cjs',
    format: 'cjs',
    minify: true, // what V8 must read at every start is most of a command's cold start
    define: { ...common.define, 'import.meta.url': '__importMetaUrl' },
    banner: { js: `#!/usr/bin/env node\n${urlInCjs}` },
  }),
  // What controllers of users import as orch/client.
  build({ ...common, entryPoints: ['client/package.ts'], outfile: 'dist/client.mjs', format: 'esm' }),
];
if (tests) {
  rmSync(join(root, 'build/test'), { recursive: true, force: true });
  rmSync(join(root, 'build/bench'), { recursive: true, force: true });
  const entries = [...walk('test', '.test.ts'), ...walk('bench', '.bench.ts')];
  jobs.push(
    build({
      ...common,
      entryPoints: entries.map((f) => relative(root, join(root, f))),
      outdir: 'build',
      outbase: '.',
      outExtension: { '.js': '.mjs' },
      sourcemap: 'inline',
      format: 'esm',
      banner: { js: requireInEsm },
    }),
  );
}
await Promise.all(jobs);
chmodSync(join(root, 'dist/orchctl.cjs'), 0o755);
