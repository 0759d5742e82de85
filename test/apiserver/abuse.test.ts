/** What clients send by mistake, or to do harm: every request has a clear answer, and the server goes on. Seeds are printed. */
import { connect, type AddressInfo } from 'node:net';
import t from 'tap';
import { ApiError } from '../../base/index.ts';
import { builtinKinds } from '../../apiserver/registry/kinds.ts';
import { jsonPatch, mergePatch, readJsonPatch } from '../../apiserver/registry/patch.ts';
import { scanJson, repeatsKeys } from '../../apiserver/http/scan-json.ts';
import { compileJsonPath } from '../../apiserver/registry/json-path.ts';
import { parseFieldSelector, parseLabelSelector } from '../../apiserver/registry/selectors.ts';
import { send as sendTo, startServer, type Server } from './harness.ts';

const POOLS = '/apis/orch.dev/v1/nodepools';
const JOBS = '/apis/orch.dev/v1/namespaces/default/jobs';
const merge = { 'content-type': 'application/merge-patch+json' };
const jsonPatchType = { 'content-type': 'application/json-patch+json' };

const seed = Number(process.env['ORCH_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
t.comment(`ORCH_SEED=${seed}`);

/** mulberry32. */
function randomOf(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}
const random = randomOf(seed);
const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
const some = (pieces: readonly string[], most: number): string =>
  Array.from({ length: Math.floor(random() * most) }, () => pick(pieces)).join('');

/** Runs something on hostile input: it answers, or refuses with an ApiError of the client's, and does not take long. */
function survives(what: string, input: unknown, action: () => unknown): void {
  const started = process.cpuUsage();
  const fail = (why: string): never => {
    throw new Error(`${what} ${why} (ORCH_SEED=${seed}): ${JSON.stringify(input).slice(0, 1000)}`);
  };
  try {
    action();
  } catch (error) {
    if (!(error instanceof ApiError && error.code >= 400 && error.code < 500)) fail(String(error));
  }
  const { user, system } = process.cpuUsage(started);
  if (user + system > 2e6) fail(`took ${(user + system) / 1e3} ms of a processor`);
}

t.test('parsers take anything', (t) => {
  const kind = builtinKinds().need('orch.dev/v1', 'Allocation');
  const words = ['a', 'b/c', 'spec.nodeName', 'metadata.name', '=', '==', '!=', '!', ',', '(', ')', 'in', ' notin ', ' in ', ' ', '\\', '\\,', '\t', '\n', '"', 'é', '\ud83d', '\0', '<', '>', '0', '-', '.', '/']; // prettier-ignore
  for (let i = 0; i < 5_000; i++) {
    const text = some(words, 24);
    survives('label selector', text, () => parseLabelSelector(text));
    survives('field selector', text, () => parseFieldSelector(kind, text));
  }
  for (const piece of [' ', 'a', 'a ', 'a,', '!', '(', 'a in (', 'a in (b,', ',', 'a=', '\\', 'a in (b),', 'a notin (b) ']) {
    const text = piece.repeat(16_000 / piece.length);
    for (const whole of [text, `a${text}`, `a in (${text}`, `${text})`, `a ${text}b`]) {
      survives('a huge label selector', whole, () => parseLabelSelector(whole));
      survives('a huge field selector', whole, () => parseFieldSelector(kind, whole));
    }
  }
  const path = ['.a', '[0]', '[*]', "['x']", '[?(@.a=="b")]', '.', '[', ']', '$', '@', '"', '?', '(', ')', '=='];
  for (let i = 0; i < 2_000; i++) {
    const text = some(path, 12);
    try {
      compileJsonPath(text)({ a: [{ a: 'b', x: [1, 2] }], x: null });
    } catch (error) {
      if (!/unsupported JSONPath/.test(String(error))) t.fail(String(error), { seed, text });
    }
  }
  const json = ['{', '}', '[', ']', ':', ',', '"a"', '"b\\"c"', '1', 'null', 'true', ' ', '"', '\\', '"\\u00e9"', '-', 'e5', '"__proto__"']; // prettier-ignore
  let valid = 0;
  for (let i = 0; i < 20_000; i++) {
    const text = some(json, 12);
    let value: unknown;
    let error: unknown;
    try {
      value = JSON.parse(text);
      valid++;
    } catch (cause) {
      error = cause;
    }
    const scan = scanJson(text);
    if ((scan.error === undefined) !== (error === undefined)) t.fail('the scanner and the parser differ', { seed, text, scan });
    if (error === undefined && repeatsKeys(text, value) !== scan.duplicates.length > 0)
      t.fail('repeated keys are not seen', { seed, text });
  }
  t.ok(valid > 100, `${valid} texts were JSON`);
  t.end();
});

t.test('patches of any form', (t) => {
  const target = () => ({
    metadata: { name: 'x', labels: { a: '1' } },
    spec: { list: [1, { b: 2 }, [3]], map: { c: null, d: 'e' } },
  });
  const pointers = ['', '/', '/spec', '/spec/list', '/spec/list/0', '/spec/list/-', '/spec/list/99', '/spec/list/-1', '/spec/map/c', '/spec/map/~1', '/spec/map/~', '/__proto__/x', '/constructor/prototype/y', '/metadata', '/spec/list/1/b', 'spec', '/spec/list/1e0', '/length']; // prettier-ignore
  const values = [null, 1, 'x', [], {}, { a: { b: null } }, [[[]]], '__proto__', true, -0];
  const given = JSON.stringify(values);
  for (let i = 0; i < 5_000; i++) {
    const operations = Array.from({ length: 1 + Math.floor(random() * 5) }, () => ({
      op: pick(['add', 'remove', 'replace', 'move', 'copy', 'test', 'nonsense']),
      path: pick(pointers),
      ...(random() < 0.7 && { value: pick(values) }),
      ...(random() < 0.6 && { from: pick(pointers) }),
    }));
    const before = target();
    survives('JSON patch', operations, () => jsonPatch(before, readJsonPatch(operations)));
    if (JSON.stringify(before) !== JSON.stringify(target())) t.fail('the target was changed', { seed, operations });
    if (JSON.stringify(values) !== given) t.fail('the patch was changed', { seed, operations });
    survives('merge patch', operations, () => mergePatch(before, { spec: { map: pick(values), list: pick(values) }, x: pick(values) })); // prettier-ignore
  }
  t.equal(({} as { x?: unknown }).x, undefined, 'no prototype was touched');
  t.equal(({} as { y?: unknown }).y, undefined);
  const bomb = Array.from({ length: 60 }, (_, i) => ({ op: 'copy', from: '/spec', path: `/spec/n${i}` }));
  survives('a patch that doubles an object 60 times', 'bomb', () => jsonPatch(target(), readJsonPatch(bomb)));
  t.throws(() => jsonPatch(target(), readJsonPatch(bomb)), /copies more than/);
  t.end();
});

let server: Server;
t.test('requests of any form', async (t) => {
  server = await startServer();
  const { send } = server;
  await send('POST', POOLS, { metadata: { name: 'target' } });
  const well = async (): Promise<void> => {
    t.equal((await send('GET', `${POOLS}/target`)).status, 200, 'the server goes on');
  };
  const refused = async (
    what: string,
    code: number | number[],
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<void> => {
    // prettier-ignore
    const answer = await send(method, path, body, headers);
    const codes = Array.isArray(code) ? code : [code];
    t.ok(codes.includes(answer.status), `${what}: ${answer.status} ${answer.text.slice(0, 200)}`);
    t.equal(answer.json?.kind, 'Status', `${what}: says so as a Status`);
    t.ok(answer.text.length < 100_000, `${what}: in ${answer.text.length} bytes`);
  };

  for (const path of ['/apis/orch.dev/v1/nodepools/%00', '/apis/orch.dev/v1/nodepools/a%00b', '/apis/orch.dev/v1/nodepools/..%2f..', '/apis/orch.dev/v1/namespaces/..%2f/jobs/x', `/apis/orch.dev/v1/nodepools/${'x'.repeat(5_000)}`, '/apis/orch.dev/v1//nodepools', '//apis/orch.dev/v1/nodepools', '/apis/orch.dev/v1/nodepools/x/y/z/../..', '/apis/../../etc/passwd', '/apis/orch.dev/v1/nodepools/%ff']) // prettier-ignore
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH'])
      await refused(`${method} ${path.slice(0, 60)}`, [400, 404, 405, 422], method, path, method === 'GET' ? undefined : '{}', method === 'PATCH' ? merge : {}); // prettier-ignore
  await refused('a watch of a NUL', [400, 404], 'GET', '/apis/orch.dev/v1/namespaces/%00/jobs?watch=true&timeoutSeconds=1');
  await refused('a bad escape', 400, 'GET', '/apis/orch.dev/v1/nodepools/%zz');

  for (const token of [
    'x',
    '%00',
    Buffer.from('{}').toString('base64url'),
    Buffer.from('{"v":1,"rv":1e99,"after":"/registry/orch.dev/nodepools/"}').toString('base64url'),
    Buffer.from('{"v":1,"rv":1,"after":"/endpoints/nodes/x"}').toString('base64url'),
    Buffer.from('['.repeat(5_000)).toString('base64url'),
  ])
    // prettier-ignore
    await refused('a continue token', [400, 410], 'GET', `${POOLS}?limit=1&continue=${token}`);
  const good = Buffer.from('{"v":1,"rv":5,"after":"/registry/orch.dev/nodepools/a"}').toString('base64url');
  for (let i = 0; i < 200; i++) {
    const bytes = [...good];
    for (let n = 0; n <= random() * 4; n++) bytes[Math.floor(random() * bytes.length)] = pick(['a', 'Z', '_', '0', '']);
    const { status } = await send('GET', `${POOLS}?limit=1&continue=${bytes.join('')}`);
    if (![200, 400, 410].includes(status)) t.fail(`a continue token: ${status}`, { seed, token: bytes.join('') });
  }
  for (const query of [
    'resourceVersion=x',
    'resourceVersion=-1',
    'resourceVersion=99999999999999999999',
    'limit=-1',
    'limit=1e9',
    'watch=maybe',
    'timeoutSeconds=x&watch=1',
    'labelSelector=%00',
    'fieldSelector=__proto__%3D1',
    `labelSelector=${'a%2C'.repeat(3_000)}`,
  ])
    // prettier-ignore
    await refused(query.slice(0, 40), [400, 504], 'GET', `${POOLS}?${query}`);

  await refused('bytes that are not UTF-8', 400, 'POST', POOLS, Buffer.concat([Buffer.from('{"metadata":{"name":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}}')])); // prettier-ignore
  await refused('a compressed body', 415, 'POST', POOLS, Buffer.from('x'), { 'content-encoding': 'gzip' });
  await refused('a body of 4 MB', 413, 'POST', POOLS, Buffer.alloc(4 << 20, ' '));
  await refused('repeated keys', 400, 'POST', `${POOLS}?fieldValidation=Strict`, '{"metadata":{"name":"a","name":"b"}}');
  const nest = (open: string, close: string, depth: number): string => open.repeat(depth) + '1' + close.repeat(depth);
  for (const [what, spec] of [
    ['objects', nest('{"a":', '}', 50_000)],
    ['arrays', nest('[', ']', 100_000)],
  ] as const) {
    // prettier-ignore
    await refused(`deep ${what}`, [400, 422], 'POST', JOBS, `{"metadata":{"name":"deep"},"spec":${spec}}`);
    await refused(`a deep patch of ${what}`, [400, 422], 'PATCH', `${POOLS}/target`, `{"spec":{"meta":${spec}}}`, merge);
    await refused(`a deep JSON patch of ${what}`, [400, 422], 'PATCH', `${POOLS}/target`, `[{"op":"add","path":"/spec","value":{"meta":${spec}}}]`, jsonPatchType); // prettier-ignore
    await refused(`deep ${what} in labels`, [400, 422], 'POST', POOLS, `{"metadata":{"name":"d","labels":{"a":${spec}}}}`);
  }
  const deepTwice = '{"a":'.repeat(20_000) + '{' + '"b":1,'.repeat(20_000) + '"b":1}' + '}'.repeat(20_000);
  await refused('repeated keys far down', [400, 422], 'POST', `${POOLS}?fieldValidation=Strict`, `{"metadata":{"name":"d"},"x":${deepTwice}}`); // prettier-ignore
  const many = (item: (i: number) => string, count: number): string => Array.from({ length: count }, (_, i) => item(i)).join(',');
  await refused('many unknown fields', [400, 413], 'POST', `${POOLS}?fieldValidation=Strict`, `{"metadata":{"name":"d"},${many((i) => `"u${i}":1`, 200_000)}}`); // prettier-ignore
  const warned = await send('POST', `${POOLS}?dryRun=All`, `{"metadata":{"name":"d"},${many((i) => `"u${i}":1`, 20_000)}}`);
  t.ok(String(warned.headers['warning']).length < 10_000, 'and warnings are few');
  await refused('many wrong items', [413, 422], 'POST', JOBS, `{"metadata":{"name":"d"},"spec":{"datacenters":[${many(() => '1', 500_000)}]}}`); // prettier-ignore
  await refused('some wrong items', 422, 'POST', JOBS, `{"metadata":{"name":"d"},"spec":{"datacenters":[${many(() => '1', 20_000)}]}}`); // prettier-ignore
  await refused('many labels', [413, 422], 'POST', POOLS, `{"metadata":{"name":"d","labels":{${many((i) => `"!${i}":"x"`, 100_000)}}}}`); // prettier-ignore
  const bomb = Array.from({ length: 60 }, (_, i) => ({ op: 'copy', from: '/spec', path: `/spec/n${i}` }));
  await refused('a JSON patch bomb', 413, 'PATCH', `${POOLS}/target`, [{ op: 'add', path: '/spec', value: { a: 'x'.repeat(1_000) } }, ...bomb], jsonPatchType); // prettier-ignore
  await refused('a YAML bomb', 400, 'POST', POOLS, `a: &a [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 20 }, (_, i) => `b${i}: &b${i} [${Array(9).fill(i === 0 ? '*a' : `*b${i - 1}`).join(',')}]`).join('\n')}`, { 'content-type': 'application/yaml' }); // prettier-ignore
  await well();
});

t.test('connections that do not behave', async (t) => {
  const { port } = new URL(server.url) as unknown as AddressInfo;
  const talk = (bytes: string | Buffer): Promise<string> =>
    new Promise((resolve) => {
      let text = '';
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(bytes));
      socket.on('data', (data) => (text += data.toString('latin1')));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(text));
    });
  t.match(await talk('\x16\x03\x01\x02\x00 hello\r\n\r\n'), /400 Bad Request/, 'what is no HTTP');
  t.match(await talk(`GET /${'x'.repeat(100_000)} HTTP/1.1\r\nhost: localhost\r\n\r\n`), /4\d\d/, 'a path of 100 KB');
  t.match(await talk('POST /apis/orch.dev/v1/nodepools HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'), /400/, 'two lengths'); // prettier-ignore
  // Half a thousand that begin a request and go on to say nothing.
  const idle = await Promise.all(
    Array.from({ length: 500 }, () => new Promise<ReturnType<typeof connect>>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => {
        socket.write('POST /apis/orch.dev/v1/nodepools HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"a'); // prettier-ignore
        resolve(socket);
      });
      socket.on('error', () => undefined);
    })),
  ); // prettier-ignore
  t.equal((await sendTo(server.url, 'GET', `${POOLS}/target`)).status, 200, 'they hold nobody up');
  for (const socket of idle) socket.destroy();
  await server.close();
});
