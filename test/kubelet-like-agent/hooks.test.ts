/** Templates and artifacts: the language as tables, and everything that tries to get out of the task's folder. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { uuid } from '../../base/index.ts';
import { fetchArtifacts, readSource } from '../../kubelet-like-agent/hooks/artifacts/index.ts';
import { parseEnvFile } from '../../kubelet-like-agent/hooks/env-file.ts';
import { placeInTask, readInTask, writeInTask } from '../../kubelet-like-agent/hooks/paths.ts';
import { Missing, renderTemplate, TemplateError, type CatalogEntry } from '../../kubelet-like-agent/hooks/template/index.ts';

const entry = (name: string, port: number, tags: string[] = []): CatalogEntry => ({
  id: `${name}-${port}`,
  name,
  address: '10.0.0.1',
  port,
  tags,
  nodeId: 'n1',
  datacenter: 'dc1',
  allocId: 'a1',
  jobId: 'j1',
  namespace: 'default',
  meta: { zone: 'a' },
});
const services = [entry('db', 5432, ['primary']), entry('db', 5433, ['replica']), entry('web', 80)];
const stored: Record<string, Record<string, string>> = {
  'nomad/jobs/web': { user: 'me', password: 'p"w', 'a.b': 'c' },
  'nomad/jobs/web/g/t': { own: '1' },
  'nomad/jobs/other': { secret: 'not for this task' },
};
const variables = {
  namespace: 'default',
  paths: ['nomad/jobs', 'nomad/jobs/web', 'nomad/jobs/web/g', 'nomad/jobs/web/g/t'],
  read: (path: string) =>
    stored[path] === undefined ? ('missing' as const) : { path, namespace: 'default', items: stored[path] },
};
const sources = {
  variables,
  env: { NOMAD_PORT_http: '8080', EMPTY: '', LIST: 'a,b,c' },
  services: () => services,
  file: (path: string) => `<${path}>`,
};
const render = (text: string, more: object = {}): string => renderTemplate(text, { ...sources, ...more }).text;

t.test('the language', (t) => {
  const cases: [string, string][] = [
    ['plain { text }', 'plain { text }'],
    ['{{ env "NOMAD_PORT_http" }}|{{env "NONE"}}|{{ envOrDefault "EMPTY" "x" }}', '8080||x'],
    ['a {{- /* not shown */ -}} b', 'ab'],
    ['a {{- "x" -}}  \n b', 'axb'],
    ['{{ "q\\"\\t\\u00e9" }}{{ `raw\\n` }}', 'q"\té' + 'raw\\n'],
    ['{{ if eq 1 1 }}yes{{ else }}no{{ end }}', 'yes'],
    ['{{ if false }}a{{ else if gt 2 1 }}b{{ else }}c{{ end }}', 'b'],
    ['{{ if and true (not false) (or "" "x") }}ok{{ end }}', 'ok'],
    ['{{ $x := 3 }}{{ if true }}{{ $x = 4 }}{{ $y := 5 }}{{ end }}{{ $x }}', '4'],
    ['{{ range $i, $e := split "," (env "LIST") }}{{ $i }}={{ $e }};{{ end }}', '0=a;1=b;2=c;'],
    ['{{ range loop 3 }}{{ . }}{{ end }}{{ range loop 5 8 }}{{ . }}{{ end }}', '012567'],
    ['{{ range split "," "a,b,c,d" }}{{ if eq . "b" }}{{ continue }}{{ end }}{{ if eq . "d" }}{{ break }}{{ end }}{{ . }}{{ end }}', 'ac'],
    ['{{ range parseJSON "[]" }}x{{ else }}none{{ end }}', 'none'],
    ['{{ with parseJSON `{"a":{"b":[1,2.5,null,true]}}` }}{{ .a.b }} {{ index .a.b 1 }} {{ len .a.b }} {{ .c }}{{ end }}', '[1 2.5 <nil> true] 2.5 4 <no value>'],
    ['{{ define "t" }}<{{ .x }}>{{ end }}{{ template "t" parseJSON `{"x":1}` }}{{ executeTemplate "t" (parseJSON `{"x":2}`) }}', '<1><2>'],
    ['{{ printf "%05.2f|%-4s|%4d|%q|%x|%v" 3.14159 "ab" 7 "s" 255 true }}', '03.14|ab  |   7|"s"|ff|true'],
    ['{{ "hello" | toUpper | printf "%s %s" "say" }}', 'say HELLO'],
    ['{{ (index (parseJSON `[{"n":"x"}]`) 0).n }}', 'x'],
    ['{{ toYAML (parseYAML "a: 1\\nb: [x]") }}', 'a: 1\nb:\n  - x'],
    ['{{ toJSON (parseJSON `{"b":1,"a":2}`) }}', '{"a":2,"b":1}'],
    ['{{ add 1 2 }} {{ subtract 1 2 }} {{ multiply 2 3 }} {{ divide 2 7 }} {{ modulo 2 7 }}', '3 1 6 3 1'],
    ['{{ base64Encode "hi" }} {{ base64Decode "aGk=" }} {{ sha256Hex "x" | sprig_trunc 6 }} {{ md5sum "x" | len }}', 'aGk= hi 2d7116 32'],
    ['{{ regexReplaceAll "(a)(b)" "${2}$1" "ab ab" }} {{ "abc" | regexMatch "^a" }} {{ replaceAll "a" "x" "aa" }}', 'ba ba true xx'],
    ['{{ sprig_default "d" "" }} {{ sprig_list 1 2 | sprig_join "-" }} {{ sprig_dict "a" 1 | toJSON }} {{ sprig_title "a b" }}', 'd 1-2 {"a":1} A B'],
    ['{{ "a b" | urlquery }} {{ html "<&>" }} {{ trimSpace "  x " }}{{ indent 2 "a\\nb" }}', 'a+b &#60;&#38;&#62; x  a\n  b'],
    ['{{ range nomadService "db" }}{{ .Address }}:{{ .Port }} {{ end }}', '10.0.0.1:5432 10.0.0.1:5433 '],
    ['{{ range service "primary.db" }}{{ .Port }} {{ .ServiceMeta.zone }}{{ end }}{{ range service "db|any" }}.{{ end }}', '5432 a..'],
    ['{{ range nomadServices }}{{ .Name }}{{ .Tags }} {{ end }}', 'db[primary replica] web[] '],
    ['{{ len (nomadService 1 "seed" "db") }}{{ with nomadService "none" }}x{{ else }} none{{ end }}', '1 none'],
    ['{{ range $tag, $s := service "db" | byTag }}{{ $tag }}={{ len $s }} {{ end }}', 'primary=1 replica=1 '],
    ['{{ file "local/x" }}{{ scratch.Set "k" 1 }}{{ scratch.Get "k" }}', '<local/x>1'],
    ['{{ with nomadVar "nomad/jobs/web" }}{{ .user }}:{{ .password }} {{ index . "a.b" }}{{ end }}', 'me:p"w c'],
    ['{{ range $k, $v := nomadVar "nomad/jobs/web@default" }}{{ $k }}={{ $v }};{{ end }}', 'a.b=c;password=p"w;user=me;'],
    ['{{ range (nomadVar "nomad/jobs/web").Tuples }}{{ .K }}{{ end }}{{ (nomadVar "nomad/jobs/web/g/t").Metadata.Path }}', 'a.bpassworduser' + 'nomad/jobs/web/g/t'],
    ['{{ nomadVarExists "nomad/jobs/web" }} {{ nomadVarExists "nomad/jobs" }}', 'true false'],
    ['{{ range nomadVarList }}{{ .Path }} {{ end }}{{ len (nomadVarListSafe "nomad/jobs/web/g") }}', 'nomad/jobs/web nomad/jobs/web/g/t 1'],
    ['{{ timestamp "2006" | len }}', '4'],
  ];
  for (const [text, expected] of cases) t.equal(render(text), expected, text);
  t.equal(render('<< env "EMPTY" >>x', { left: '<<', right: '>>' }), 'x');
  t.equal(renderTemplate('{{ env "A" }}', sources).follows, false);
  t.equal(renderTemplate('{{ nomadService "x" }}', sources).follows, true);
  t.equal(renderTemplate('{{ nomadVarExists "nomad/jobs" }}', sources).follows, true);
  for (const path of ['nomad/jobs/other', 'nomad/jobs/we', 'nomad/jobs/web/../other', 'nomad/jobs/web/g/u', '']) {
    for (const name of ['nomadVar', 'nomadVarExists']) t.throws(() => render(`{{ ${name} "${path}" }}`), { name: 'TemplateError', message: /may not be read by this task; it may read nomad\/jobs, / });
  }
  t.throws(() => render('{{ nomadVar "nomad/jobs/web@other" }}'), /a task reads variables of its own namespace/);
  t.equal(render('{{ len (nomadVarList "nomad/jobs/other") }}'), '0', 'a list holds what may be read');
  t.throws(() => render('{{ nomadVar "nomad/jobs" }}'), { name: 'Missing', message: 'nomad.var.block(nomad/jobs@default.global)' });
  t.throws(() => render('{{ nomadVarListSafe "nomad/jobs/web/g/t/" }}{{ nomadVarListSafe "x" }}'), { name: 'Missing' });
  t.throws(() => render('{{ nomadVarList }}', { variables: { ...variables, read: () => 'unknown' } }), { name: 'Missing' });
  t.end();
}); // prettier-ignore

t.test('what is wrong is said, with its line', (t) => {
  const cases: [string, RegExp][] = [
    ['a\n{{ nope }}', /line 2: function "nope" not defined/],
    ['{{ if true }}', /line 1: \{\{if\}\} is never closed/],
    ['x {{ end }}', /line 1: unexpected \{\{end\}\}/],
    ['\n\n{{ "x', /line 3: "\{\{" is never closed/],
    ['{{ $x }}', /line 1: undefined variable "\$x"/],
    ['{{ parseJSON "{" }}', /line 1: error calling parseJSON/],
    ['{{ mustEnv "NONE" }}', /the environment has no NONE/],
    ['{{ key "a/b" }}', /key: there is no Consul key-value store here/],
    ['{{ with secret "x" }}{{ end }}', /secret: there is no Vault here/],
    ['{{ plugin "sh" }}', /plugin: is not permitted/],
    ['{{ sprig_env "PATH" }}', /not readable/],
    ['{{ template "x" }}', /template "x" is not defined/],
    ['{{ divide 0 1 }}', /division by zero/],
  ];
  for (const [text, message] of cases) t.throws(() => render(text), { name: 'TemplateError', message }, text);
  t.throws(() => render('{{ .a }}', { strict: true }), TemplateError);
  t.throws(() => render('{{ nomadService "x" }}', { services: () => undefined }), Missing);
  t.end();
});

t.test('a template cannot hold up the agent or reach it', (t) => {
  const endless = ['{{ range loop 1000000 }}{{ range loop 1000000 }}{{ end }}{{ end }}', '{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}', '{{ regexMatch "^(a+)+$" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!" }}'];
  for (const text of endless) t.throws(() => render(text), { name: 'TemplateError' }, text);
  t.equal(render('{{ (parseJSON "{}").constructor }}{{ (parseJSON "{}").__proto__ }}'), '<no value><no value>');
  render('{{ $m := sprig_dict }}{{ $_ := sprig_set $m "__proto__" (parseJSON `{"polluted":1}`) }}');
  t.equal(({} as Record<string, unknown>)['polluted'], undefined);
  t.end();
}); // prettier-ignore

t.test('env files', (t) => {
  t.same(parseEnvFile('# c\nA=1\n\nexport B = "x y\\n"\nC=\'$q\'\nD=a=b \nE="two\nlines"\nF=\r\n', 'f'), {
    A: '1', B: 'x y\n', C: '$q', D: 'a=b', E: 'two\nlines', F: '',
  }); // prettier-ignore
  t.throws(() => parseEnvFile('A=1\nnonsense', 'secrets/x.env'), /secrets\/x.env: line 2 is not KEY=value/);
  t.throws(() => parseEnvFile('A="1', 'f'), /never closed/);
  t.end();
});

t.test('files', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'orch-hooks-'));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  const newDirs = async () => {
    const base = join(root, uuid());
    const task = join(base, 'web');
    const dirs = { alloc: join(base, 'alloc'), task, local: join(task, 'local'), secrets: join(task, 'secrets') };
    for (const dir of [join(dirs.alloc, 'data'), dirs.local, dirs.secrets]) await mkdir(dir, { recursive: true });
    return dirs;
  };
  const outside = join(root, 'outside');
  await mkdir(outside);
  await writeFile(join(outside, 'secret'), 'of the machine');

  await t.test('paths stay inside, links or not', async (t) => {
    const dirs = await newDirs();
    await writeInTask(dirs, 'local/a/b.txt', 'x', { mode: 0o640 });
    t.equal(readFileSync(join(dirs.local, 'a/b.txt'), 'utf8'), 'x');
    t.equal(statSync(join(dirs.local, 'a/b.txt')).mode & 0o777, 0o640);
    await writeInTask(dirs, '/secrets/s', 'y', { mode: 0o600 });
    await writeInTask(dirs, `${dirs.alloc}/data/z`, 'z', { mode: 0o644 });
    await writeInTask(dirs, '../alloc/data/w', 'w', { mode: 0o644 });
    t.same(readdirSync(join(dirs.alloc, 'data')).sort(), ['w', 'z']);
    t.equal(readInTask(dirs, '/secrets/s'), 'y');

    await symlink(outside, join(dirs.local, 'link'));
    await symlink(join(outside, 'secret'), join(dirs.local, 'file'));
    for (const path of ['../../x', 'local/../../../x', '/../x', `${dirs.task}/../../x`, 'local/link/x', 'a\0b', 'local/']) {
      await t.rejects(writeInTask(dirs, path, 'x', { mode: 0o644 }), { name: 'PathError' }, path);
    }
    // A link in the place of the file is replaced, not followed.
    await writeInTask(dirs, 'local/file', 'mine', { mode: 0o644 });
    t.equal(readFileSync(join(outside, 'secret'), 'utf8'), 'of the machine');
    t.same(readdirSync(outside), ['secret']);
    t.throws(() => readInTask(dirs, 'local/link/secret'), /outside of the task/);
    t.throws(() => readInTask(dirs, '../../../etc/passwd'), /outside of the task/);
    t.throws(() => placeInTask(dirs, '/alloc/../../x'), /outside/);
  });

  await t.test('artifacts', async (t) => {
    const tree = join(root, 'tree');
    await mkdir(join(tree, 'bin'), { recursive: true });
    await writeFile(join(tree, 'bin/run.sh'), '#!/bin/sh\n', { mode: 0o4755 });
    await writeFile(join(tree, 'readme'), 'hello');
    await symlink('bin/run.sh', join(tree, 'start'));
    const evil = join(root, 'evil');
    await mkdir(evil);
    await symlink(outside, join(evil, 'out'));
    const tar = (folder: string, ...flags: string[]): Buffer => execFileSync('tar', ['-c', ...flags, '-C', folder, '.']);
    const files: Record<string, Buffer> = {
      '/app.tar.gz': gzipSync(tar(tree)),
      '/app.tar.xz': tar(tree, '-J'),
      '/app.zip': zip([['bin/', ''], ['bin/run.sh', '#!/bin/sh\n', 0o100755], ['readme', 'hello'], ['start', 'bin/run.sh', 0o120777]]),
      '/plain.txt': Buffer.from('plain'),
      '/note.gz': gzipSync('note'),
      '/evil.tar': tar(evil),
      '/climb.zip': zip([['../../climbed', 'x']]),
      '/through.zip': zip([['out', outside, 0o120777], ['out/x', 'x']]),
      '/link.zip': zip([['out', '/etc', 0o120777]]),
      '/damaged.zip': Buffer.from('PK nonsense'),
    }; // prettier-ignore
    let authorization: string | undefined;
    const server = createServer((request, response) => {
      const url = new URL(request.url!, 'http://x');
      authorization = request.headers.authorization;
      if (url.pathname === '/moved') return response.writeHead(302, { location: '/plain.txt' }).end();
      if (url.pathname === '/file') return response.writeHead(302, { location: 'file:///etc/passwd' }).end();
      const data = files[url.pathname];
      if (data === undefined) return response.writeHead(url.pathname === '/busy' ? 503 : 404).end();
      return response.end(data);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const fetch = async (artifact: object, localFolders: string[] = []): Promise<string> => {
      const dirs = await newDirs();
      await fetchArtifacts({ artifacts: [artifact], dirs, work: join(dirs.task, '../.run/web'), localFolders, signal: new AbortController().signal }); // prettier-ignore
      return dirs.task;
    };
    for (const name of ['app.tar.gz', 'app.tar.xz', 'app.zip']) {
      const task = await fetch({ source: `${url}/${name}` });
      t.same(readdirSync(join(task, 'local')).sort(), ['bin', 'readme', 'start'], name);
      t.equal(statSync(join(task, 'local/bin/run.sh')).mode & 0o7777, 0o755, 'runs, without the bits that give rights');
      t.equal(readFileSync(join(task, 'local/start'), 'utf8'), '#!/bin/sh\n', 'links inside are kept');
    }
    const read = async (path: string, artifact: object, folders?: string[]): Promise<string> =>
      readFileSync(join(await fetch(artifact, folders), path), 'utf8');
    t.equal(await read('local/plain.txt', { source: `${url}/plain.txt` }), 'plain');
    t.equal(await read('local/moved', { source: `${url}/moved` }), 'plain');
    t.equal(
      await read('local/sub/as.txt', { source: `${url}/plain.txt`, destination: 'local/sub/as.txt', mode: 'file' }),
      'plain',
    );
    t.equal(await read('secrets/named', { source: `${url}/plain.txt?filename=named`, destination: 'secrets' }), 'plain');
    t.equal(await read('local/note', { source: `${url}/note.gz` }), 'note');
    t.equal(await read('local/app.zip', { source: `${url}/app.zip`, options: { archive: 'false' } }), files['/app.zip']!.toString('utf8')); // prettier-ignore
    t.equal(await read('local/run.sh', { source: `${url}/app.tar.gz//bin` }), '#!/bin/sh\n');
    const sum = createHash('sha256').update('plain').digest('hex');
    t.equal(await read('local/plain.txt', { source: `${url}/plain.txt`, options: { checksum: `sha256:${sum}` } }), 'plain');
    await fetch({ source: `${url}/plain.txt`, headers: { Authorization: 'Bearer x' } });
    t.equal(authorization, 'Bearer x');
    t.equal(await read('local/tree/readme', { source: tree, destination: 'local/tree' }, [root]), 'hello', 'a folder that the operator shares'); // prettier-ignore

    const repository = join(root, 'repo');
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', repository, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args]);
    await mkdir(repository);
    execFileSync('git', ['init', '-q', '-b', 'main', repository]);
    await writeFile(join(repository, 'f'), 'one');
    git('add', '.');
    git('commit', '-qm', 'one');
    const first = git('rev-parse', 'HEAD').toString().trim();
    await writeFile(join(repository, 'f'), 'two');
    git('commit', '-qam', 'two');
    t.equal(await read('local/f', { source: `git::${repository}` }, [root]), 'two');
    t.equal(await read('local/r/f', { source: `git::file://${repository}`, options: { ref: first }, destination: 'local/r' }, [root]), 'one'); // prettier-ignore

    const refused: [object, RegExp, boolean?][] = [
      [{ source: `${url}/none` }, /bad response code: 404/],
      [{ source: `${url}/busy` }, /bad response code: 503/, true],
      [{ source: 'http://127.0.0.1:1/x' }, /ECONNREFUSED/, true],
      [{ source: `${url}/plain.txt`, options: { checksum: `sha256:${'0'.repeat(64)}` } }, /checksums did not match/],
      [{ source: `${url}/plain.txt`, options: { checksum: 'sha256:x' } }, /64 hexadecimal digits/],
      [{ source: `${url}/evil.tar` }, /out is a link that leads out of the artifact/],
      [{ source: `${url}/climb.zip` }, /leads out of the archive/],
      [{ source: `${url}/through.zip` }, /leads out of the archive/],
      [{ source: `${url}/link.zip` }, /leads out of the artifact/],
      [{ source: `${url}/damaged.zip` }, /not a zip file/],
      [{ source: `${url}/plain.txt?filename=../x` }, /must be a name without a path/],
      [{ source: `${url}/plain.txt`, destination: '../../x' }, /outside of the task/],
      [{ source: `${url}/file` }, /it leads to file:/],
      [{ source: '/etc/passwd' }, /this node lets no local files be copied/],
      [{ source: 'file:///etc/passwd' }, /this node lets no local files/],
      [{ source: 'git::/etc' }, /this node lets no local files/],
      [{ source: 'git::ext::sh -c id' }, /is not a repository that can be reached/],
      [{ source: 's3::https://x/y' }, /kind "s3" are not built/],
      [{ source: 'relative/path' }, /neither a URL nor an absolute path/],
    ]; // prettier-ignore
    for (const [artifact, message, recoverable = false] of refused)
      await t.rejects(fetch(artifact), { name: 'ArtifactError', message, recoverable }, JSON.stringify(artifact));
    t.same(readdirSync(outside), ['secret']);
    t.notOk(existsSync(join(root, 'climbed')));
    t.match(readSource({ source: 'github.com/a/b//sub?ref=v1' }), { kind: 'git', from: 'https://github.com/a/b.git', subfolder: 'sub', ref: 'v1' }); // prettier-ignore
  });
});

/** A zip file without compression. */
function zip(entries: [name: string, data: string, mode?: number][]): Buffer {
  const [bodies, list]: [Buffer[], Buffer[]] = [[], []];
  let offset = 0;
  for (const [name, data, mode = 0o100644] of entries) {
    const [n, d] = [Buffer.from(name), Buffer.from(data)];
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt32LE(d.length, 18);
    local.writeUInt32LE(d.length, 22);
    local.writeUInt16LE(n.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt8(3, 5);
    central.writeUInt32LE(d.length, 20);
    central.writeUInt32LE(d.length, 24);
    central.writeUInt16LE(n.length, 28);
    central.writeUInt32LE((mode << 16) >>> 0, 38);
    central.writeUInt32LE(offset, 42);
    bodies.push(local, n, d);
    list.push(central, n);
    offset += 30 + n.length + d.length;
  }
  const directory = Buffer.concat(list);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...bodies, directory, end]);
}
