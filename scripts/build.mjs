// Bundles the sources: dist/orchctl.cjs (everything that ships, one executable file), dist/client.mjs
// (the client package) and, with --tests, build/test and build/bench.
// Packages stay outside the bundle; they are loaded only by the commands that need them.
import { build } from 'esbuild';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pack } from './pack.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const pkg = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const tests = process.argv.includes('--tests');

/** Bundled into the command line, whose cold start counts; everything else is resolved from node_modules when it is first needed. */
const bundled = new Set(['fast-deep-equal']);
const external = Object.keys({ ...pkg.dependencies, ...pkg.devDependencies }).filter((name) => !bundled.has(name));

const requireInEsm =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

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

const nobody = '-address=http://127.0.0.1:1';

/** Common commands: what they load gets a code cache, as far as they get without a cluster. What they all load is run as the first does. */
const starts = [
  ['version'],
  ['-help'],
  ['job', 'run', '-help'],
  ['job', 'plan', '-help'],
  ['job', 'status', nobody],
  ['status', nobody, 'x'],
  ['alloc', 'status', nobody, 'x'],
  ['logs', nobody, 'x'],
  ['node', 'status', nobody],
  ['get', nobody, 'jobs'],
];

/** The program, in place of what was there only when it is whole: commands that run at the moment go on with the old one. */
async function program() {
  const built = await build({
    ...common,
    entryPoints: ['bin/orchctl.ts'],
    outdir: 'dist',
    format: 'esm',
    splitting: true,
    sourcemap: 'inline',
    write: false,
    define: { ...common.define, 'import.meta': 'importMeta' },
  });
  const { text, map } = await pack(built, { entry: 'orchctl.js', file: join(root, 'dist/orchctl.cjs'), starts });
  mkdirSync(join(root, 'dist'), { recursive: true });
  const put = (name, content, mode) => {
    const path = join(root, 'dist', name);
    writeFileSync(`${path}.new`, content, { mode });
    renameSync(`${path}.new`, path);
  };
  put('orchctl.cjs.map', map, 0o644);
  put('orchctl.cjs', text, 0o755);
}

const jobs = [
  program(),
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
