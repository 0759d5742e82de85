/** The one file that ships: what its parts promise to those who start it. */
import t from 'tap';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from '../framework/orchctl.ts';

await t.test('the program', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'orch-program-')); // not below a package.json that says what a file without a suffix is
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const alone = join(dir, 'orchctl');
  copyFileSync(program, alone);

  await t.test('is one file, which works wherever it is put', (t) => {
    for (const args of [['version'], ['--help'], ['job', 'init', '-short']]) {
      const { status, stderr } = spawnSync(alone, args, { cwd: dir, encoding: 'utf8' });
      t.equal(status, 0, `${args.join(' ')}: ${stderr}`);
    }
    t.match(readFileSync(join(dir, 'example.nomad'), 'utf8'), /^job "example" {/m, 'a compressed part was loaded');
    t.end();
  });

  await t.test('loads nothing for the short commands that they do not need', (t) => {
    const list = join(dir, 'list.cjs');
    writeFileSync(list, `process.on('exit', () => require('node:fs').writeSync(2, JSON.stringify(process.moduleLoadList)));`);
    const loaded = (args: readonly string[]): string[] =>
      JSON.parse(spawnSync(process.execPath, args, { encoding: 'utf8' }).stderr) as string[];
    const bare = new Set(loaded(['-r', list, '-e', '0']));
    for (const command of ['version', '--help']) {
      const more = loaded(['-r', list, program, command]).filter((module) => !bare.has(module));
      for (const slow of ['crypto', 'http', 'net', 'tty', 'fs/promises', 'readline', 'zlib', 'child_process'])
        t.notOk(more.includes(`NativeModule ${slow}`), `${command} does without ${slow}`);
    }
    t.end();
  });

  await t.test('writes a text of any length as a whole, and ends in silence when nobody reads it', (t) => {
    const group = (i: number): string =>
      `group "g${i}" {\n task "t" {\n driver = "raw_exec"\n config { command = "true" }\n }\n }\n`;
    writeFileSync(join(dir, 'long.nomad'), `job "long" {\n${Array.from({ length: 500 }, (_, i) => group(i)).join('')}}\n`);
    const { stdout } = spawnSync(program, ['convert', '-to', 'json', 'long.nomad'], { cwd: dir, encoding: 'utf8' });
    t.ok(stdout.length > 100_000, 'more than a pipe holds');
    t.equal((JSON.parse(stdout) as { spec: { groups: unknown[] } }).spec.groups.length, 500);
    const gone = spawnSync('sh', ['-c', `("${program}" -help; echo "exit $?" >&2) | true`], { encoding: 'utf8' });
    t.equal(gone.stderr, 'exit 0\n');
    t.end();
  });

  await t.test('has a source map that knows where each line comes from', (t) => {
    const map = new SourceMap(JSON.parse(readFileSync(`${program}.map`, 'utf8')) as SourceMapPayload);
    const lines = readFileSync(program, 'latin1').split('\n');
    const line = lines.findIndex((text) => text.includes('Runs Nomad job files on'));
    const entry = map.findEntry(line, lines[line]!.indexOf('Runs Nomad')) as {
      originalSource: string;
      originalLine: number;
    };
    t.match(entry.originalSource, /ctl\/help\.ts$/);
    const source = readFileSync(join(program, '..', entry.originalSource), 'utf8').split('\n');
    t.match(source[entry.originalLine], 'Runs Nomad job files on');
    t.end();
  });
});
