/** Services by DNS and by HTTP: answers as plain values, then real servers asked by a real resolver. */
import { Resolver } from 'node:dns/promises';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { request } from 'node:http';
import t from 'tap';
import { decode, encode, type Packet, type Question } from 'dns-packet';
import { silentLogger, systemClock } from '../../base/index.ts';
import { answer, fit, udpLimit, type Instance, type Zone } from '../../kubelet-like-agent/discovery/answer.ts';
import { startDiscovery } from '../../kubelet-like-agent/discovery/index.ts';
import { nameOfAddress, readName } from '../../kubelet-like-agent/discovery/names.ts';
import type { CatalogInstance } from '../../kubelet-like-agent/services/catalog.ts';

const instance = (address: string, port: number, more: Partial<Instance> = {}): Instance => ({
  address,
  port,
  tags: [],
  healthy: true,
  ...more,
});
const services: Record<string, readonly Instance[]> = {
  'default/web': [
    instance('10.0.0.1', 8080, { tags: ['Blue'] }),
    instance('10.0.0.2', 8080, { tags: ['green'] }),
    instance('10.0.0.3', 8080, { healthy: false }),
  ],
  'default/six': [instance('fd00::1', 90)],
  'default/host': [instance('db.example.com', 5432)],
  'default/down': [instance('10.0.0.9', 1, { healthy: false })],
  'prod/web': [instance('10.1.0.1', 80)],
  'default/many': Array.from({ length: 2000 }, (_, i) => instance(`10.9.${i >> 8}.${i & 255}`, 1000 + i)),
};
const zone: Zone = {
  domain: 'orch',
  ttlSeconds: 5,
  instances: (service, namespace) => (service === 'unknown' ? undefined : (services[`${namespace}/${service}`] ?? [])),
  shuffle: (items) => [...items],
};
const ask = (name: string, type: Question['type'] = 'A', more: Partial<Packet> = {}): Packet =>
  answer({ type: 'query', id: 7, questions: [{ name, type, class: 'IN' }], ...more }, zone)!;
/** As it goes over the wire. */
const wire = (packet: Packet) => decode(encode(packet));
const data = (packet: Packet): unknown[] => (packet.answers ?? []).map((a) => (a as { data: unknown }).data);

t.test('names', async (t) => {
  const cases: [string, unknown][] = [
    ['web.default.service.orch', { kind: 'service', service: 'web', namespace: 'default' }],
    ['WEB.Prod.Service.Orch.', { kind: 'service', service: 'web', namespace: 'prod' }],
    ['web.service.orch', { kind: 'service', service: 'web', namespace: 'default' }],
    ['v1.2.web.prod.service.orch', { kind: 'service', service: 'web', namespace: 'prod', tag: 'v1.2' }],
    ['_web._tcp.service.orch', { kind: 'service', service: 'web', namespace: 'default' }],
    ['_web._blue.prod.service.orch', { kind: 'service', service: 'web', namespace: 'prod', tag: 'blue' }],
    ['_web.service.orch', { kind: 'nothing' }],
    ['service.orch', { kind: 'empty' }],
    ['orch', { kind: 'empty' }],
    ['web.node.orch', { kind: 'nothing' }],
    ['0a000001.addr.orch', { kind: 'address', address: '10.0.0.1' }],
    ['0a0000zz.addr.orch', { kind: 'nothing' }],
    ['example.com', { kind: 'foreign' }],
    ['torch', { kind: 'foreign' }],
  ];
  for (const [name, expected] of cases) t.same(readName(name, 'orch'), expected, name);
  for (const address of ['10.0.0.1', '::1', 'fd00::1:2', '2001:db8:1:2:3:4:5:6'])
    t.equal(new URL(`http://[${(readName(nameOfAddress(address, 'o.rch'), 'o.rch') as { address: string }).address.replace(/^(\d+\.)/, '::ffff:$1')}]`).hostname, new URL(`http://[${address.replace(/^(\d+\.)/, '::ffff:$1')}]`).hostname, address); // prettier-ignore
});

t.test('answers', async (t) => {
  t.same(data(ask('web.default.service.orch')), ['10.0.0.1', '10.0.0.2'], 'healthy instances only');
  t.match(ask('web.default.service.orch').answers![0], { name: 'web.default.service.orch', ttl: 5 });
  t.same(data(ask('blue.web.default.service.orch')), ['10.0.0.1'], 'by tag, whatever its case');
  t.same(data(ask('web.prod.service.orch')), ['10.1.0.1'], 'by namespace');
  t.same(data(ask('six.default.service.orch', 'AAAA')), ['fd00::1']);
  t.same(data(ask('host.service.orch')), ['db.example.com'], 'an address that is a name');
  t.match(ask('host.service.orch').answers![0], { type: 'CNAME' });
  const srv = wire(ask('web.default.service.orch', 'SRV'));
  t.match(data(srv), [
    { port: 8080, target: '0a000001.addr.orch' },
    { port: 8080, target: '0a000002.addr.orch' },
  ]);
  t.same((srv.additionals ?? []).map((a) => (a as { data: unknown }).data), ['10.0.0.1', '10.0.0.2'], 'with their addresses'); // prettier-ignore
  t.same(data(ask('0a000002.addr.orch')), ['10.0.0.2'], 'which can be asked for as well');

  const none = (packet: Packet) => {
    const back = wire(packet);
    return [(back as { rcode?: string }).rcode, back.answers?.length, back.authorities?.map(({ type }) => type).join()];
  };
  t.same(none(ask('nope.default.service.orch')), ['NXDOMAIN', 0, 'SOA'], 'no such service');
  t.same(none(ask('red.web.default.service.orch')), ['NXDOMAIN', 0, 'SOA'], 'no such tag');
  t.same(none(ask('down.default.service.orch')), ['NOERROR', 0, 'SOA'], 'a service without a healthy instance exists');
  t.same(none(ask('web.default.service.orch', 'AAAA')), ['NOERROR', 0, 'SOA'], 'no addresses of that kind');
  t.same(none(ask('unknown.default.service.orch')), ['SERVFAIL', 0, ''], 'the cluster has not been heard');
  t.same(none(ask('example.com')), ['REFUSED', 0, ''], 'not ours');
  t.same(none(ask('web.service.orch', 'A', { questions: [] })), ['FORMERR', 0, '']);
  const many = Array.from({ length: 200 }, () => ({ name: 'web.service.orch', type: 'A' as const, class: 'IN' as const }));
  t.same(ask('web.service.orch', 'A', { questions: many })?.questions, [], 'what is not answered is not repeated either');
  t.same(none(ask('web.service.orch', 'A', { flags: 2 << 11 })), ['NOTIMP', 0, ''], 'another kind of request');
  t.same(data(ask('orch', 'SOA')).length, 1);
  t.match(wire(ask('web.service.orch')), { flag_aa: true, flag_ra: false, id: 7 });
  t.equal(
    answer({ type: 'response', questions: [] }, zone),
    undefined,
    'an answer is not answered: two servers would talk for ever',
  );
});

t.test('what is too long is cut, and says so', async (t) => {
  const long = ask('many.default.service.orch', 'SRV');
  const short = fit(long, 512);
  t.ok(encode(short).length <= 512);
  t.equal(wire(short).flag_tc, true);
  t.ok(short.answers!.length > 2);
  t.ok(encode(fit(long, 65_535)).length <= 65_535, 'TCP has an end, too');
  const few = fit(ask('web.service.orch', 'SRV'), 512);
  t.equal(wire(few).flag_tc, false);
  const opt = (udpPayloadSize: number): Packet => ({ type: 'query', additionals: [{ type: 'OPT', name: '.', udpPayloadSize, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] }] }); // prettier-ignore
  t.same([udpLimit({}), udpLimit(opt(4096)), udpLimit(opt(100)), udpLimit(opt(800))], [512, 1232, 512, 800]);
});

t.test('servers', async (t) => {
  const instances: CatalogInstance[] = Object.entries(services).flatMap(([key, list]) =>
    list.map(({ address, port, tags, healthy }, i) => {
      const [namespace = '', name = ''] = key.split('/');
      return { id: `${key}-${i}`, name, namespace, address, port, tags, nodeId: 'n', datacenter: 'dc1', allocId: 'a', jobId: 'j', meta: {}, phase: healthy ? 'passing' : 'critical' }; // prettier-ignore
    }),
  );
  let known = true;
  const discovery = await startDiscovery({
    config: { address: '127.0.0.1', dnsPort: 0, httpPort: 0, domain: 'orch', ttlSeconds: 3 },
    catalog: {
      ready: () => Promise.resolve(),
      instances: (namespace) => (known ? instances.filter((i) => i.namespace === namespace) : undefined),
      instancesOf: (service, namespace) => (known ? instances.filter((i) => i.namespace === namespace && i.name === service) : undefined), // prettier-ignore
    },
    clock: systemClock,
    random: Math.random,
    log: silentLogger,
  });
  t.teardown(() => discovery.close());
  const resolver = new Resolver({ timeout: 5000, tries: 2 });
  resolver.setServers([`127.0.0.1:${discovery.dnsPort}`]);
  t.same(
    (await resolver.resolve4('web.default.service.orch', { ttl: true })).sort((a, b) => (a.address < b.address ? -1 : 1)),
    [
      { address: '10.0.0.1', ttl: 3 },
      { address: '10.0.0.2', ttl: 3 },
    ],
  );
  t.same((await resolver.resolveSrv('green.web.default.service.orch')).map(({ name, port }) => [name, port]), [['0a000002.addr.orch', 8080]]); // prettier-ignore
  t.same(await resolver.resolve6('six.service.orch'), ['fd00::1']);
  await t.rejects(resolver.resolve4('nope.service.orch'), { code: 'ENOTFOUND' });
  await t.rejects(resolver.resolve4('down.service.orch'), { code: 'ENODATA' });
  await t.rejects(resolver.resolve4('example.com'), { code: 'EREFUSED' });
  // The resolver sees the truncated answer, and asks again over TCP.
  t.ok((await resolver.resolve4('many.service.orch')).length > 1000, 'a long answer comes over TCP');
  known = false;
  await t.rejects(resolver.resolve4('web.service.orch'), { code: 'ESERVFAIL' });
  known = true;

  // What is no question does no harm, and is at most answered with why.
  const udp = createSocket('udp4');
  const heard: Buffer[] = [];
  udp.on('message', (message) => heard.push(message));
  const send = (bytes: Buffer): Promise<void> => new Promise((resolve) => udp.send(bytes, discovery.dnsPort, '127.0.0.1', () => resolve())); // prettier-ignore
  const header = Buffer.from([0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  await send(Buffer.alloc(0));
  await send(Buffer.from('hello'));
  await send(Buffer.concat([header, Buffer.from([0xc0, 0x0c])])); // a name that refers to itself
  const tcp = connect(discovery.dnsPort, '127.0.0.1');
  tcp.write(Buffer.concat([Buffer.from([0, 14]), header, Buffer.from([63, 1])]));
  await new Promise((resolve) => tcp.once('data', resolve));
  tcp.destroy();
  while (heard.length === 0) await new Promise((resolve) => udp.once('message', resolve));
  t.match(decode(heard[0]!), { id: 9, rcode: 'FORMERR' });
  udp.close();
  t.equal((await resolver.resolve4('web.service.orch')).length, 2, 'it goes on');

  const get = (path: string, options: { method?: string; host?: string } = {}): Promise<{ status: number; body: never }> =>
    new Promise((resolve, reject) => {
      const { method = 'GET', host } = options;
      request(
        { host: '127.0.0.1', port: discovery.httpPort, path, method, ...(host !== undefined && { headers: { host } }) },
        (response) => {
          // prettier-ignore
          let text = '';
          response.setEncoding('utf8').on('data', (d: string) => (text += d)).on('end', () => resolve({ status: response.statusCode!, body: JSON.parse(text) as never })); // prettier-ignore
        },
      )
        .on('error', reject)
        .end();
    });
  t.match((await get('/v1/services?namespace=prod')).body, [{ service: 'web', instances: 1, healthy: 1, tags: [] }]);
  t.match((await get('/v1/services/web')).body, [{ service: 'web', address: '10.0.0.1', port: 8080, allocation: 'a', job: 'j', phase: 'passing' }, { address: '10.0.0.2' }]); // prettier-ignore
  t.same(((await get('/v1/services/web?all=true')).body as unknown[]).length, 3);
  t.same(((await get('/v1/services/web?tag=green')).body as unknown[]).length, 1);
  t.same((await get('/v1/services/down')).body, [], 'it exists, and has no healthy instance');
  t.match(await get('/v1/services/nope'), { status: 404, body: { kind: 'Status' } });
  t.match(await get('/v1/services/web?tags=x'), { status: 400 });
  t.match(await get('/v1/services', { method: 'POST' }), { status: 405 });
  t.match(await get('/v1/services', { host: 'evil.example' }), { status: 403 }, 'no page reaches it by a name of its own');
});
