import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer, type AddressInfo } from 'node:net';
import { createServer as createHttpsServer } from 'node:https';
import t, { type Test } from 'tap';
import { systemClock } from '../../base/index.ts';
import { initialStanding, judge, startCheck, thresholdsOf, validateCheck, type CheckOptions, type Outcome } from '../../kubelet-like-agent/checks/index.ts'; // prettier-ignore
import type { Check, CheckStatus } from '../../openapi/index.ts';

t.test('the verdict', (t) => {
  const cases: [string, Check, string, string][] = [
    ['at once', {}, 'p', 'passing'],
    ['a failure at once', {}, 'pc', 'passing critical'],
    ['a warning', {}, 'pw', 'passing warning'],
    ['back and forth', {}, 'cpcp', 'critical passing critical passing'],
    ['initial status', { initialStatus: 'warning', successBeforePassing: 2 }, 'pp', 'warning passing'],
    ['successes in a row', { successBeforePassing: 3 }, 'ppcppp', 'pending pending critical critical critical passing'],
    ['failures in a row', { failuresBeforeCritical: 3 }, 'pccpccc', 'passing passing passing passing passing passing critical'],
    [
      'first a warning',
      { failuresBeforeWarning: 2, failuresBeforeCritical: 4 },
      'pcccc',
      'passing passing warning warning critical',
    ],
  ];
  const outcomes: Record<string, Outcome> = { p: 'passing', w: 'warning', c: 'critical' };
  for (const [name, check, tries, expected] of cases) {
    let standing = initialStanding(check);
    const phases = [...tries].map((x) => (standing = judge(standing, outcomes[x]!, thresholdsOf(check))).phase);
    t.equal(phases.join(' '), expected, name);
  }
  t.end();
});

t.test('validation', (t) => {
  const cases: [Check, string[]][] = [
    [{ type: 'tcp', interval: '10s', timeout: '2s' }, []],
    [{ type: 'http', path: '/' }, []],
    [{ type: 'http' }, ['path: is required for an http check']],
    [{ type: 'http', path: 'http://else.where/' }, ['path: must be a path, not a URL']],
    [{ type: 'script', command: '/bin/true' }, []],
    [{ type: 'script' }, ['command: is required for a script check']],
    [{ type: 'grpc' }, []],
    [{ type: 'telepathy' }, ['type: must be one of tcp, http, grpc, script']],
    [{ type: 'tcp', interval: '10ms', timeout: 'soon' }, ['interval: must be at least 1s', 'timeout: must be at least 1s']],
    [{ type: 'tcp', initialStatus: 'fine' }, ['initialStatus: must be passing, warning, critical or pending']],
  ];
  for (const [check, expected] of cases) t.same(validateCheck(check), expected, JSON.stringify(check));
  t.end();
});

/** Of each check the first result that counts. They are tried at the same time: before it is told, a failure lasts a while. */
const firsts = (checks: readonly (readonly [Check, Partial<CheckOptions>])[]): Promise<CheckStatus[]> =>
  Promise.all(checks.map(([check, more]) => first(check, more)));

/** The first result that counts. */
function first(check: Check, more: Partial<CheckOptions> = {}): Promise<CheckStatus> {
  return new Promise((resolve) => {
    // The clock's timers do not keep a process alive.
    const alive = setInterval(() => undefined, 1000);
    const running = startCheck({
      check: { interval: '1s', timeout: '1s', ...check },
      clock: systemClock,
      onResult: (status) => {
        clearInterval(alive);
        resolve(status);
        void running.close();
      },
      ...more,
    });
  });
}

async function listen(t: Test, server: Server | ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}

t.test('tcp', async (t) => {
  const server = createServer((socket) => socket.destroy());
  const port = await listen(t, server);
  const address = { address: '127.0.0.1', port };
  const closed = { address: '127.0.0.1', port: 1 };
  const results = await firsts([
    [{ type: 'tcp', name: 'alive' }, address],
    [{ type: 'tcp' }, closed],
    [{ type: 'tcp' }, {}],
  ]);
  t.match(results, [
    { name: 'alive', type: 'tcp', phase: 'passing', output: `TCP connect 127.0.0.1:${port}: Success` },
    { phase: 'critical', output: 'dial tcp 127.0.0.1:1: connect: connection refused' },
    { phase: 'critical', output: /no address/ },
  ]);
});

t.test('http', async (t) => {
  const seen: { method: string | undefined; headers: IncomingMessage['headers']; body: string }[] = [];
  const server = createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      seen.push({ method: request.method, headers: request.headers, body: Buffer.concat(chunks).toString() });
      if (request.url === '/moved') return response.writeHead(302, { location: '/ok' }).end();
      if (request.url === '/hang') return;
      if (request.url === '/big') return response.end('x'.repeat(100_000));
      const status = { '/ok': 200, '/none': 204, '/busy': 429 }[request.url ?? ''] ?? 500;
      response.writeHead(status).end('hello');
    });
  });
  const port = await listen(t, server);
  t.teardown(() => server.closeAllConnections());
  const at = { address: '127.0.0.1', port };
  const url = `http://127.0.0.1:${port}`;
  const paths = ['/ok', '/none', '/moved', '/busy', '/down', '/big', '/hang'];
  const results = await firsts([
    ...paths.map((path) => [{ type: 'http', path, timeout: path === '/hang' ? '1s' : '10s' }, at] as const),
    [
      { type: 'http', path: '/' },
      { ...at, port: 1 },
    ],
  ]);
  t.match(results, [
    { phase: 'passing', output: `HTTP GET ${url}/ok: 200 OK Output: hello` },
    { phase: 'passing', output: `HTTP GET ${url}/none: 204 No Content Output: ` },
    { phase: 'passing' },
    { phase: 'warning', output: /429 Too Many Requests/ },
    { phase: 'critical', output: /500 Internal Server Error Output: hello/ },
    { phase: 'passing' },
    { phase: 'critical', output: `Get "${url}/hang": no answer within 1s` },
    { phase: 'critical', output: 'Get "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused' },
  ]);
  t.ok(results[paths.indexOf('/big')]!.output!.length < 5000, 'an answer is not kept whole');
  seen.length = 0;
  await first(
    { type: 'http', path: '/ok', method: 'post', header: { 'X-Token': ['a', 'b'], Host: ['example.com'] }, body: '{"x":1}' },
    at,
  );
  t.match(seen[0], { method: 'POST', body: '{"x":1}', headers: { 'x-token': 'a, b', host: 'example.com' } });
});

t.test('https', async (t) => {
  const { execFileSync } = await import('node:child_process');
  const { mkdtempSync, readFileSync, rmSync } = await import('node:fs');
  const dir = mkdtempSync('/tmp/orch-checks-');
  t.teardown(() => rmSync(dir, { recursive: true }));
  const options = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '1',
    '-subj',
    '/CN=check',
  ];
  execFileSync('openssl', [...options, '-keyout', `${dir}/key`, '-out', `${dir}/cert`], { stdio: 'ignore' });
  const server = createHttpsServer({ key: readFileSync(`${dir}/key`), cert: readFileSync(`${dir}/cert`) }, (_, response) =>
    response.end('ok'),
  );
  const port = await listen(t, server);
  const at = { address: '127.0.0.1', port };
  t.match(await first({ type: 'http', protocol: 'https', path: '/' }, at), { phase: 'critical', output: /self.signed/ });
  t.match(await first({ type: 'http', protocol: 'https', path: '/', tlsSkipVerify: true }, at), { phase: 'passing' });
});

t.test('script', async (t) => {
  const check: Check = { type: 'script', command: '/check', args: ['-v'] };
  const asked: unknown[] = [];
  const exits = (exitCode: number) => ({
    exec: (command: readonly string[], options: { timeout: number }) => {
      asked.push([command, options.timeout]);
      return Promise.resolve({ exitCode, output: `code ${exitCode}` });
    },
  });
  const results = await firsts([
    [check, exits(0)],
    [check, exits(1)],
    [check, exits(2)],
    [check, { exec: () => Promise.reject(new Error('the task is not running')) }],
  ]);
  t.match(results, [
    { phase: 'passing', output: 'code 0' },
    { phase: 'warning', output: 'code 1' },
    { phase: 'critical', output: 'code 2' },
    { phase: 'critical', output: 'the task is not running' },
  ]);
  t.same(asked[0], [['/check', '-v'], 1000]);
});

t.test('a task that comes up late is found healthy without waiting for the next interval', async (t) => {
  const server = createServer((socket) => socket.destroy());
  const free = createServer();
  const port = await listen(t, free);
  await new Promise((resolve) => free.close(resolve));
  const results: string[] = [];
  const before = Date.now();
  await new Promise<void>((resolve) => {
    const running = startCheck({
      check: { type: 'tcp', interval: '30s', timeout: '1s' },
      address: '127.0.0.1',
      port,
      clock: systemClock,
      onResult: (status, changed) => {
        results.push(`${status.phase} ${String(changed)}`);
        void running.close().then(resolve);
      },
    });
    t.equal(running.status.phase, 'pending');
    server.listen(port, '127.0.0.1');
  });
  t.teardown(() => new Promise((resolve) => server.close(resolve)));
  t.same(results, ['passing true']);
  t.ok(Date.now() - before < 20_000);
});

t.test('closing', async (t) => {
  const end = new AbortController();
  const running = startCheck({
    check: { type: 'script', command: 'x' },
    exec: (_, { signal }) =>
      new Promise((_resolve, reject) => signal!.addEventListener('abort', () => reject(new Error('cut off')))),
    clock: systemClock,
    onResult: () => t.fail('nothing is told after the end'),
    signal: end.signal,
  });
  end.abort();
  await running.close();
});

t.test('grpc', async (t) => {
  const asked: string[] = [];
  const server = createHttp2Server();
  server.on('stream', (stream, headers) => {
    const parts: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => parts.push(chunk));
    stream.on('end', () => {
      const body = Buffer.concat(parts);
      const service = body.subarray(7).toString();
      asked.push(`${headers[':path']} ${service}`);
      const known: Record<string, number> = { '': 1, up: 1, down: 2 };
      const status = known[service];
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers(status === undefined ? { 'grpc-status': '5', 'grpc-message': 'unknown%20service' } : { 'grpc-status': '0' }));
      stream.end(status === undefined ? undefined : Buffer.from([0, 0, 0, 0, 2, 8, status]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const check = { type: 'grpc', name: 'c', interval: '1s', timeout: '1s' };
  const at = { address: '127.0.0.1', port };
  const results = await firsts([
    [check, at],
    [{ ...check, grpcService: 'up' }, at],
    [{ ...check, grpcService: 'down' }, at],
    [{ ...check, grpcService: 'none' }, at],
    [check, { address: '127.0.0.1', port: 1 }],
  ]);
  t.same(results.map(({ phase }) => phase), ['passing', 'passing', 'critical', 'critical', 'critical']); // prettier-ignore
  t.equal(results[1]!.output, `gRPC 127.0.0.1:${port}: SERVING`);
  t.equal(results[2]!.output, `gRPC 127.0.0.1:${port}: NOT_SERVING`);
  t.equal(results[3]!.output, `gRPC 127.0.0.1:${port}: error code 5: unknown service`);
  t.match(results[4]!.output, /ECONNREFUSED/);
  t.ok(asked.includes('/grpc.health.v1.Health/Check up'));
}); // prettier-ignore
