/** The small parts of the command line: arguments, times and amounts, columns, settings, templates. */
import t from 'tap';
import { redact, redactLine } from '../../ctl/debug/redact.ts';
import { parseFilter } from '../../ctl/filter.ts';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiError } from '../../base/index.ts';
import { meantBy, parseArguments } from '../../ctl/argv.ts';
import { flag } from '../../ctl/command.ts';
import { resolveConnection } from '../../ctl/connection.ts';
import { explain } from '../../ctl/errors.ts';
import { escapeCharacter, EscapeReader } from '../../ctl/exec/escape.ts';
import { bytes, significant } from '../../ctl/io/amounts.ts';
import { cut, pairs, sparseTable, table } from '../../ctl/io/columns.ts';
import { plain, printable } from '../../ctl/io/streams.ts';
import { age, localTime, roughly } from '../../ctl/io/time.ts';
import { parseTargets } from '../../ctl/kinds.ts';
import { jsonpath } from '../../ctl/views/jsonpath.ts';
import { planText, wouldChangeAllocations } from '../../ctl/views/plan.ts';
import { chooseStyle, plainStyle } from '../../ctl/io/style.ts';
import { matchesLabels } from '../../ctl/selector.ts';
import { asDocumented } from '../reference/documented.ts';
import { alignRows, tableRows, type ServerTable } from '../../ctl/views/server-table.ts';

process.env.TZ = 'UTC';

const flags = {
  checkIndex: flag.integer('<n>', ''),
  detach: flag.boolean(''),
  diff: flag.tristate(''),
  namespace: flag.string('<name>', '', { short: 'n' }),
  output: flag.string('<format>', '', { short: 'o' }),
  watch: flag.boolean('', { short: 'w' }),
  allNamespaces: flag.boolean('', { short: 'A' }),
  var: flag.list('<name=value>', ''),
  dryRun: flag.string('<mode>', '', { implied: 'server' }),
};

t.test('colour', (t) => {
  const cases: [string, boolean, Record<string, string>, boolean, string][] = [
    ['on a terminal', true, {}, false, '\x1b[1ma\x1b[22m'],
    ['in a pipe', false, {}, false, 'a'],
    ['forced', false, { FORCE_COLOR: '1' }, false, '\x1b[1ma\x1b[22m'],
    ['refused by the environment', true, { NO_COLOR: '1', FORCE_COLOR: '1' }, false, 'a'],
    ['refused by a flag', true, {}, true, 'a'],
    ['of a terminal that has none', true, { TERM: 'dumb' }, false, 'a'],
  ];
  for (const [title, interactive, env, noColor, expected] of cases) {
    const style = chooseStyle({ interactive }, env, noColor);
    t.equal(style.bold('a'), expected, title);
    t.equal(style.colors, expected !== 'a', title);
  }
  t.end();
});

t.test('arguments as people write them', (t) => {
  const cases: [string, string[], object, string[]][] = [
    ['one dash', ['-check-index', '7', 'a'], { checkIndex: 7 }, ['a']],
    ['two dashes and an equals sign', ['--check-index=7', 'a'], { checkIndex: 7 }, ['a']],
    ['a value that can be left out', ['-dry-run', 'a'], { dryRun: 'server' }, ['a']],
    ['and given', ['--dry-run=client', 'a'], { dryRun: 'client' }, ['a']],
    ['a negative number', ['a', '-1'], {}, ['a', '-1']],
    ['a switch', ['-detach', 'a'], { detach: true }, ['a']],
    ['a switch with a value', ['-detach=false', 'a'], { detach: false }, ['a']],
    ['a switch that is on by default', ['-diff=false', 'a'], { diff: false }, ['a']],
    ['flags after arguments', ['a', '-detach', 'b', '-namespace=x'], { detach: true, namespace: 'x' }, ['a', 'b']],
    ['a short form', ['-n', 'x', 'a'], { namespace: 'x' }, ['a']],
    ['a short form, glued', ['-ojson', 'a'], { output: 'json' }, ['a']],
    ['short switches, glued', ['-wA', 'a'], { watch: true, allNamespaces: true }, ['a']],
    ['short switches and a value, glued', ['-wo', 'yaml', 'a'], { watch: true, output: 'yaml' }, ['a']],
    ['repeated', ['-var', 'a=1', '-var=b=2'], { var: ['a=1', 'b=2'] }, []],
    ['standard input is no flag', ['-'], {}, ['-']],
    ['nothing is a flag after --', ['--', '-detach'], {}, ['-detach']],
    ['an empty value', ['-namespace=', 'a'], { namespace: '' }, ['a']],
  ];
  for (const [title, argv, values, args] of cases)
    t.same(parseArguments(argv, flags), { values: { var: [], ...values }, args }, title);
  const problems: [string[], string][] = [
    [['-nosuchflag'], 'flag provided but not defined: -nosuchflag'],
    [['-chek-index', '7'], 'flag provided but not defined: -chek-index\nDid you mean -check-index?'],
    [['-xyz'], 'flag provided but not defined: -xyz'],
    [['-check-index', 'seven'], 'invalid value "seven" for flag -check-index: a whole number is needed'],
    [['-check-index'], 'flag needs an argument: -check-index'],
    [['-detach=maybe'], 'invalid boolean value "maybe" for flag -detach'],
  ];
  t.same(
    parseArguments(['-var=x', 'one', '-var', 'y', 'two', '-var', '--', '-z'], flags, 2),
    { values: { var: ['x', 'y'] }, args: ['one', 'two', '-var', '--', '-z'] },
    'flags end at the command that is for somebody else',
  );
  t.same(parseArguments(['one', '--', '-z', '--'], flags, 2), { values: { var: [] }, args: ['one', '-z', '--'] });
  for (const [argv, problem] of problems) t.same(parseArguments(argv, flags), { problem }, argv.join(' '));
  t.equal(meantBy('jbo', ['job', 'alloc']), 'job');
  t.equal(meantBy('xxxxxx', ['job', 'alloc']), undefined);
  t.end();
});

t.test('times', (t) => {
  const now = Date.UTC(2026, 10, 21, 12);
  const ago = (seconds: number): string => age(now - seconds * 1000, now);
  const cases: [number, string][] = [
    [0, '0s ago'],
    [17, '17s ago'],
    [65, '1m5s ago'],
    [180, '3m ago'],
    [3840, '1h4m ago'],
    [3600 + 5, '1h5s ago'],
    [22 * 3600 + 12 * 60 + 3, '22h12m ago'],
    [40 * 86400, '1mo10d ago'],
    [-30, '30s from now'],
  ];
  for (const [seconds, text] of cases) t.equal(ago(seconds), text);
  t.equal(age(undefined, now), '');
  t.equal(roughly(400 * 86400), '1y1mo');
  t.equal(localTime(now), '2026-11-21T12:00:00Z');
  t.equal(localTime(undefined), 'N/A');
  t.end();
});

t.test('amounts', (t) => {
  const cases: [number, string][] = [[0, '0 B'], [9, '9 B'], [788 * 1024, '788 KiB'], [2.6 * 1024 ** 2, '2.6 MiB'], [300 * 1024 ** 2, '300 MiB'], [24 * 1024 ** 3, '24 GiB']]; // prettier-ignore
  for (const [amount, text] of cases) t.equal(bytes(amount), text);
  t.equal(significant(0.056712), '0.0567');
  t.equal(significant(0), '0');
  t.end();
});

t.test('columns', (t) => {
  t.equal(
    table([
      ['ID', 'Class'],
      ['a', undefined],
      ['bbb', 'x'],
    ]),
    'ID   Class\na    <none>\nbbb  x',
  );
  t.equal(
    sparseTable([
      ['A', 'B'],
      ['1', ''],
    ]),
    'A  B\n1  ',
  );
  t.equal(
    pairs([
      ['ID', 'x'],
      ['Desired Description', ''],
    ]),
    'ID                  = x\nDesired Description = <none>',
  );
  t.equal(
    table([
      ['é', 'b'],
      ['ab', 'c'],
    ]),
    'é   b\nab  c',
    'by code point',
  );
  t.end();
});

t.test('where the API is', async (t) => {
  const dir = t.testdir();
  const path = join(dir, 'config.yaml');
  writeFileSync(
    path,
    'current-context: home\ncontexts:\n- {name: home, server: "http://10.0.0.1:4646", namespace: mine, token: s3cret}\n- {name: away, server: "https://away"}\n',
  );
  const env = { ORCH_CONFIG: path };
  t.same(await resolveConnection({}, { ORCH_CONFIG: join(dir, 'none') }), {
    servers: ['http://127.0.0.1:4646'],
    namespace: 'default',
  });
  t.same(await resolveConnection({}, env), { servers: ['http://10.0.0.1:4646'], namespace: 'mine', token: 's3cret' });
  t.same(await resolveConnection({ context: 'away' }, env), { servers: ['https://away'], namespace: 'default' });
  t.match(await resolveConnection({}, { ...env, NOMAD_ADDR: 'http://nomad:1', NOMAD_NAMESPACE: 'n' }), {
    servers: ['http://nomad:1'],
    namespace: 'n',
  });
  t.match(await resolveConnection({}, { ...env, NOMAD_ADDR: 'http://nomad:1', ORCH_ADDR: 'orch:2' }), {
    servers: ['http://orch:2'],
  });
  t.match(await resolveConnection({ address: ['http://flag:3'] }, { ...env, ORCH_ADDR: 'orch:2' }), {
    servers: ['http://flag:3'],
  });
  t.same((await resolveConnection({ address: ['a:1', 'b:2'] }, env)).servers, ['http://a:1', 'http://b:2']);
  t.same((await resolveConnection({}, { ...env, ORCH_ADDR: 'a:1,https://b:2' })).servers, ['http://a:1', 'https://b:2']);
  await t.rejects(resolveConnection({ context: 'nowhere' }, env), { message: /has no context "nowhere"; it has home, away/ });
  await t.rejects(resolveConnection({ address: ['ftp://x'] }, env), { message: /not the address of an API server/ });
  await t.rejects(resolveConnection({ region: 'mars' }, env), { message: /no region "mars"/ });
});

t.test('objects that are meant', (t) => {
  t.same(parseTargets(['jobs']), [{ kind: 'jobs' }]);
  t.same(parseTargets(['jobs,nodes']), [{ kind: 'jobs' }, { kind: 'nodes' }]);
  t.same(parseTargets(['job', 'a', 'b']), [
    { kind: 'job', name: 'a' },
    { kind: 'job', name: 'b' },
  ]);
  t.same(parseTargets(['job/a', 'node/b']), [
    { kind: 'job', name: 'a' },
    { kind: 'node', name: 'b' },
  ]);
  t.throws(() => parseTargets(['job/a', 'b']), { message: /kind\/name/ });
  t.end();
});

t.test('jsonpath templates', (t) => {
  const list = {
    items: [
      { metadata: { name: 'a' }, spec: { type: 'service' } },
      { metadata: { name: 'b' }, spec: { type: 'batch', meta: { 'x.y': 1 } } },
    ],
  };
  const cases: [string, string][] = [
    ['{.items[*].metadata.name}', 'a b'],
    ['.items[0].metadata.name', 'a'],
    ['{.items[-1].metadata.name}', 'b'],
    ['{range .items[*]}{.metadata.name}={.spec.type}{"\\n"}{end}', 'a=service\nb=batch\n'],
    ['{.items[?(@.spec.type=="batch")].metadata.name}', 'b'],
    ['{.items[?(@.spec.meta)].metadata.name}', 'b'],
    ["{.items[1].spec.meta['x.y']}", '1'],
    ['{.items[1].spec.meta.x\\.y}', '1'],
    ['{..name}', 'a b'],
    ['{.items[1].spec.meta}', '{"x.y":1}'],
    ['{.nothing}', ''],
  ];
  for (const [template, text] of cases) t.equal(jsonpath(template, list), text, template);
  t.throws(() => jsonpath('{.items[}', list), { message: /not understood/ });
  t.throws(() => jsonpath('{.items', list), { message: /not closed/ });
  t.throws(() => jsonpath('{range .items[*]}x', list), { message: /without \{end\}/ });
  t.end();
});

t.test('tables of the server', (t) => {
  const served: ServerTable = {
    kind: 'Table',
    columnDefinitions: [
      { name: 'Name', type: 'string' },
      { name: 'Node', type: 'string', priority: 1 },
      { name: 'Age', type: 'string' },
    ],
    rows: [
      { cells: ['a', 'n1', '5m'], object: { metadata: { name: 'a', namespace: 'x', labels: { k: 'v' } } } },
      { cells: ['longer', null, '3d'] },
    ],
  };
  const narrow = { wide: false, namespaces: false, labels: false, headers: true };
  t.equal(alignRows(tableRows(served, narrow)), 'NAME     AGE\na        5m\nlonger   3d');
  t.equal(
    alignRows(tableRows(served, { ...narrow, wide: true })),
    'NAME     NODE     AGE\na        n1       5m\nlonger   <none>   3d',
  );
  t.same(tableRows(served, { ...narrow, headers: false, namespaces: true, labels: true })[0], ['x', 'a', '5m', 'k=v']);
  t.end();
});

t.test('plans', (t) => {
  const plan = {
    jobModifyIndex: 0,
    desiredUpdates: { g: { place: 1 } },
    failedPlacements: { g: { nodesEvaluated: 1, constraintFiltered: { 'missing devices': 1 } } },
  };
  t.equal(
    planText({ diff: '+ Job: "gpu"', plan, program: 'orchctl', path: 'a.nomad', style: plainStyle })
      .split('\n')
      .slice(0, 10)
      .join('\n'),
    '+ Job: "gpu"\n\nScheduler dry-run:\n- WARNING: Failed to place all allocations.\n  Task Group "g" (failed to place 1 allocation):\n' +
      '    * Constraint "missing devices": 1 nodes excluded by filter\n\nJob Modify Index: 0\nTo submit the job with version verification run:\n',
  );
  t.equal(wouldChangeAllocations(plan), true);
  t.equal(wouldChangeAllocations({ desiredUpdates: { g: { inPlaceUpdate: 3, ignore: 1 } } }), false);
  t.end();
});

t.test('failures in words', (t) => {
  const invalid = new ApiError('Invalid', 'Job "x" is invalid', { causes: [{ reason: 'FieldValueInvalid', field: 'spec.groups[0].count', message: 'must be >= 0' }, { reason: 'FieldValueInvalid', field: 'spec.priority', message: 'must be <= 100' }] }); // prettier-ignore
  t.equal(explain(invalid, 'orchctl'), '2 problems:\n  * spec.groups[0].count: must be >= 0\n  * spec.priority: must be <= 100');
  t.equal(explain(new Error('a', { cause: new Error('b') }), 'orchctl'), 'a: b');
  t.end();
});

t.test('connections that fail', (t) => {
  const failed = (server: string, message: string): Error =>
    Object.assign(new Error('cannot reach', { cause: new Error(message) }), { name: 'ConnectionError', server });
  const refused = explain(failed('http://a:1', 'connect ECONNREFUSED 127.0.0.1:1'), 'orchctl');
  t.match(refused, /^Cannot reach the API server at http:\/\/a:1: nothing listens there\.\nStart one/);
  t.equal(
    explain(
      failed('https://a:1', 'write EPROTO 80:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:'),
      'orchctl',
    ),
    'https://a:1 does not speak https. Try http://a:1',
  );
  t.match(explain(failed('http://a:1', 'Parse Error: Expected HTTP/'), 'orchctl'), /speaks TLS, try https:\/\/a:1$/);
  t.match(explain(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }), 'orchctl'), /^The API server went away/);
  t.end();
});

t.test('nothing from the cluster acts on the terminal', (t) => {
  t.equal(plain('a\x1b[2Jb\x07\r\n\tc\x9b1m'), 'a\\x1b[2Jb\\x07\\x0d\n\tc\\x9b1m');
  t.equal(printable('\x1b[31mred\x1b[0m\x1b]0;title\x07'), '\x1b[31mred\x1b[0m\\x1b]0;title\\x07');
  t.equal(table([['Name'], ['\x1b[8mhidden']]), 'Name\n\\x1b[8mhidden');
  t.equal(cut('\x1b[32mabcdef\x1b[0m', 4), '\x1b[32mabc…\x1b[0m');
  t.equal(cut('abc', 4), 'abc');
  t.end();
});

t.test('selectors of labels', (t) => {
  const labels = { app: 'web', 'orch.dev/job': 'x' };
  for (const [selector, expected] of [
    ['app=web', true],
    ['app==api', false],
    ['app!=api,orch.dev/job=x', true],
    ['app in (api, web)', true],
    ['app notin (api,web)', false],
    ['tier', false],
    ['!tier,app', true],
    ['', true],
  ] as const)
    t.equal(matchesLabels(selector, labels), expected, selector);
  t.throws(() => matchesLabels('a b', labels), { message: /is no selector/ });
  t.end();
});

t.test('filters of lists', (t) => {
  const object = { Status: 'ready', Tags: ['web', 'a b'], Meta: { rack: 'r1', 'x.y': 'z' }, Drain: false, Count: 3, Name: '' };
  const cases: [string, boolean][] = [
    ['Status == "ready"', true],
    ['Status != ready', false],
    ['"web" in Tags and not ("db" in Tags)', true],
    ['Tags contains `a b`', true],
    ['web not in Tags or Count == 3', true],
    ['Meta.rack matches "^r[0-9]$"', true],
    ['Meta["x.y"] == "z"', true],
    ['"rack" in Meta', true],
    ['Name is empty and Meta is not empty', true],
    ['Nothing is not empty', false],
    ['Drain == false and Status not matches "^d"', true],
    ['Status == "down" or Status == "ready" and Count == 4', false],
  ];
  for (const [text, expected] of cases) t.equal(parseFilter(text)(object), expected, text);
  for (const bad of ['', 'Status', 'Status ==', 'Status = "x"', '(Status == x', 'Status == x y', 'a matches "("', '"x" of Tags'])
    t.throws(() => parseFilter(bad), /^-filter: [^]*\n +\^$|-filter/, bad);
  t.end();
});

t.test('what a debug bundle does not tell', (t) => {
  const object = {
    metadata: { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{"password":"x"}', team: 'a' } },
    spec: { env: { HOME: '/x' }, config: { image: 'redis', auth: { username: 'u', password: 'p' } }, templates: [{ data: 'x', destination: 'd' }] },
    Token: 't', secretRefs: 3, empty_password: '',
  }; // prettier-ignore
  const text = JSON.stringify(redact(object));
  for (const secret of ['/x', '"p"', '"x"', '"t"', 'password\\":']) t.notOk(text.includes(secret), secret);
  for (const kept of ['"redis"', '"u"', '"a"', '"destination":"d"', '"secretRefs":3', '"empty_password":""'])
    t.ok(text.includes(kept), kept);
  t.equal(
    redactLine('x [INFO] pull: image=redis password="a b" token=abc, n=1'),
    'x [INFO] pull: image=redis password=(redacted) token=(redacted), n=1',
  );
  t.equal(redactLine('{"apiToken": "x","n":1}'), '{"apiToken": (redacted),"n":1}');
  t.end();
});

t.test('the escape character of a session', (t) => {
  const typing = (escape: string | undefined, ...keys: string[]): string => {
    const reader = new EscapeReader(escape);
    let sent = '';
    for (const key of keys) {
      const { send, end } = reader.read(Buffer.from(key));
      sent += send.toString();
      if (end) return `${sent}<end>`;
    }
    return sent;
  };
  const cases: [escape: string | undefined, keys: string[], sent: string][] = [
    ['~', ['~.'], '<end>'],
    ['~', ['ls\r', '~', '.', 'more'], 'ls\r<end>'],
    ['~', ['cd ~.\r'], 'cd ~.\r'],
    ['~', ['~~.'], '~.'],
    ['~', ['~', 'a~.'], '~a~.'],
    ['!', ['~.\n!.'], '~.\n<end>'],
    [undefined, ['~.'], '~.'],
    ['~', ['é~.'], 'é~.'],
  ];
  for (const [escape, keys, sent] of cases) t.equal(typing(escape, ...keys), sent, JSON.stringify(keys));
  t.same(['none', '!', '~~'].map(escapeCharacter), [{ character: undefined }, { character: '!' }, undefined]);
  t.end();
});

t.test('archives of hostile tasks', async (t) => {
  const { readTar, writeTar } = await import('../../ctl/copy/tar.ts');
  const { unpack } = await import('../../ctl/copy/local.ts');
  const dir = t.testdir({ it: { 'a.txt': 'hello', b: { c: '' } }, outside: 'safe', into: {} });
  const archive = async (path: string, name: string): Promise<Buffer> => {
    const parts: Buffer[] = [];
    for await (const part of writeTar(path, name, () => undefined)) parts.push(part);
    return Buffer.concat(parts);
  };
  /** In pieces of an odd size, as they may come. */
  async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += 701) yield await Promise.resolve(bytes.subarray(at, at + 701));
  }
  const good = await archive(join(dir, 'it'), 'it');
  t.match(await unpack(pieces(good), 'it', join(dir, 'into/it')), { files: 2, bytes: 5, skipped: [] });
  t.equal(readFileSync(join(dir, 'into/it/a.txt'), 'utf8'), 'hello');
  for (const name of ['/it', '../it', 'it/../../outside', 'other', 'it/..'])
    await t.rejects(
      unpack(pieces(await archive(join(dir, 'outside'), name)), 'it', join(dir, 'into/x')),
      /was not asked for/,
      name,
    );
  t.equal(readFileSync(join(dir, 'outside'), 'utf8'), 'safe');
  await t.rejects(unpack(pieces(good.subarray(0, 1200)), 'it', join(dir, 'into/y')), /ends in the middle/);
  await t.rejects(unpack(pieces(Buffer.alloc(2048, 'no archive')), 'it', join(dir, 'into/z')), /no tar archive/);
  const long = `it/${'folder/'.repeat(40)}${'n'.repeat(140)}`;
  const names: string[] = [];
  for await (const { entry } of readTar(pieces(await archive(join(dir, 'outside'), long)), 'it')) names.push(entry.path);
  t.same(names, [long.slice(3)]);
});

t.test('recordings that differ as documented, and only so', (t) => {
  const status = (deployed: string, rows: readonly string[], phase = 'running'): string => {
    const count = (word: string): number => rows.filter((row) => row.includes(word)).length;
    return `exit: 0\n--- stdout\nID = example\n\nSummary\nTask Group  Queued  Starting  Running  Failed  Complete  Lost\ncache  0  ${count('pending')}  ${count('running')}  0  ${count('complete')}  0\n\nLatest Deployment\nID = <id>\nStatus = ${phase}\nDescription = Deployment ${phase}\n\nDeployed\nTask Group  Desired  Placed  Healthy  Unhealthy  Progress Deadline\n${deployed}\n\nAllocations\nID  Node ID  Task Group  Version  Desired  Status  Created  Modified\n${rows.map((row) => `<id>  <id>  cache  ${row}  <age>  <age>\n`).join('')}--- stderr\n`;
  };
  const why = (recorded: string, ours: string, about = {}): string[] | undefined =>
    asDocumented(recorded, { folder: '.', ours, ...about });
  const early = status('cache  2  1  0  0  <time>', ['1  run  running', '0  run  running', '0  stop  complete']);
  const late = status(
    'cache  2  2  2  0  <time>',
    ['1  run  running', '1  run  running', '0  stop  complete', '0  stop  complete'],
    'successful',
  );
  t.same(why(early, late), ['a rollout goes on at once']);
  t.equal(why(late, early), undefined, 'an earlier moment is something else');
  t.equal(why(early, late.replaceAll('1  run  running', '2  run  running')), undefined, 'another version is something else');
  const shifted = early.replaceAll('1  run  running', '2  run  running');
  t.same(why(shifted, late, { repeatedStops: 1 }), ['a repeated stop makes no version', 'a rollout goes on at once']);
  t.equal(
    why(early, late.replace('cache  0  0  2', 'cache  0  0  3')),
    undefined,
    'what does not agree with itself is something else',
  );
  t.equal(why(early, late.replace('1  run  running', '1  run  failed')), undefined);
  const rows = (version: number): string =>
    `exit: 0\n--- stdout\nAllocations\n<id>  <id>  cache  ${version}  run  running  <age>  <age>\n<id>  <id>  cache  2  stop  complete  <age>  <age>\n--- stderr\n`;
  t.same(why(rows(5), rows(4), { repeatedStops: 1 }), ['a repeated stop makes no version']);
  t.equal(why(rows(5), rows(3), { repeatedStops: 1 }), undefined);
  t.equal(why(rows(5), rows(4)), undefined);
  const log = (body: string): string => `exit: 0\n--- stdout\n${body}--- stderr\n`;
  const args = ['alloc', 'logs', '-tail', '-n', '2', 'x'];
  t.same(why(log('alf\nlast\n'), log('half\nlast\n'), { args }), ['logs end with whole lines']);
  t.equal(why(log('alf\nlast\n'), log('other\nlast\n'), { args }), undefined);
  t.equal(why(log('alf\nlast\n'), log('x\nhalf\nlast\n'), { args }), undefined, 'more lines than were asked for');
  t.end();
});
