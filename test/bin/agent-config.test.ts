import t from 'tap';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfigFiles } from '../../bin/agent/load.ts';
import { agentOptions, type AgentConfigFile } from '../../bin/agent/options.ts';

const dir = t.testdir({});
const file = async (name: string, text: string): Promise<string> => {
  await mkdir(join(dir, name, '..'), { recursive: true });
  await writeFile(join(dir, name), text);
  return name;
};
const load = (...names: string[]) => loadConfigFiles(names, dir);
const flags = { dev: false, insecure: false, settings: {} };

t.test('the files of a cluster on one machine', async (t) => {
  const server = await load(
    await file(
      'server.hcl',
      'data_dir = "/tmp/s"\nbind_addr = "127.0.0.1"\nserver {\n  enabled          = true\n  bootstrap_expect = 1\n}\nadvertise {\n  http = "127.0.0.1"\n  rpc  = "127.0.0.1"\n  serf = "127.0.0.1"\n}\n',
    ),
  );
  t.same(server.problems, []);
  t.same(
    server.notes.map((note) => /^"(.*?)"/.exec(note)?.[1]),
    ['advertise.serf'],
    'says what has no effect; one server is what is expected',
  );
  const { options, problems } = agentOptions(server.configs, flags);
  t.same(problems, []);
  t.match(options, {
    dataDir: '/tmp/s',
    ports: { http: 4646, rpc: 4647, serf: 4648 },
    client: undefined,
    server: { heartbeatGraceSeconds: 10 },
  });

  const client = await load(
    await file(
      'client.hcl',
      'data_dir = "/tmp/c"\nname = "client1"\nclient {\n  enabled = true\n  servers = ["127.0.0.1:4647"]\n  meta {\n    rack = "r1"\n  }\n  options {\n    "driver.denylist" = "java, docker"\n  }\n  host_volume "data" {\n    path = "/srv"\n  }\n  reserved {\n    cpu = 100\n    reserved_ports = "22"\n  }\n}\nports {\n  http = 5641\n  rpc  = 5642\n  serf = 5643\n}\nplugin "raw_exec" {\n  config {\n    enabled = true\n  }\n}\n',
    ),
  );
  t.same(client.problems, []);
  t.match(agentOptions(client.configs, flags), {
    problems: [],
    options: {
      name: 'client1',
      server: undefined,
      ports: { http: 5641 },
      client: {
        servers: ['127.0.0.1:4647'],
        meta: { rack: 'r1' },
        options: { 'driver.denylist': 'java, docker' },
        hostVolumes: { data: { path: '/srv', readOnly: false } },
        reserved: { cpu: 100, ports: '22' },
        rawExec: true,
        discovery: { address: '127.0.0.1', dnsPort: 4653, httpPort: 4654, domain: 'orch', ttlSeconds: 5, required: false },
      },
    },
  });
  const discovery = async (block: string) => {
    const { configs } = await load(await file('discovery.hcl', `client {\n  enabled = true\n  discovery {\n${block}\n  }\n}\n`));
    const { options, problems } = agentOptions(configs, flags);
    return [options.client?.discovery, problems.filter((problem) => problem.includes('discovery'))];
  };
  t.match(await discovery('dns_port = 53\n domain = "Corp.Example."\n ttl = "30s"'), [{ dnsPort: 53, domain: 'corp.example', ttlSeconds: 30, required: true }, []]); // prettier-ignore
  t.same(await discovery('enabled = false'), [undefined, []]);
  t.match((await discovery('dns_port = 70000\n domain = "a b"\n address = "here"'))[1], [/not an IP address/, /no port 70000/, /not a domain/]); // prettier-ignore
});

t.test('later files and flags win, key by key; folders are read in order; JSON works', async (t) => {
  await file(
    'd/10.hcl',
    'data_dir = "/a"\nlog_level = "DEBUG"\nserver {\n  enabled             = true\n  require_datacenters = true\n}\n',
  );
  await file(
    'd/20.json',
    '{"log_level": "WARN", "ports": {"http": 1234}, "client": {"enabled": true, "host_volume": {"x": {"path": "/x"}}}}',
  );
  const { configs, problems } = await load('d');
  t.same(problems, []);
  const settings: AgentConfigFile = { ports: { http: 4321 } };
  t.match(agentOptions(configs, { ...flags, settings }).options, {
    dataDir: '/a',
    logLevel: 'warn',
    ports: { http: 4321, rpc: 4647 },
    client: { hostVolumes: { x: { path: '/x' } } },
    server: { requireDatacenters: true },
  });
});

t.test('what is wrong is said with its place', async (t) => {
  const cases: [string, string, RegExp][] = [
    [
      'unknown key',
      'sevrer {\n  enabled = true\n}\n',
      /:1,1.*"sevrer" is not a key of an agent configuration\. Did you mean "server"\?/,
    ],
    [
      'unknown key in a block',
      'client {\n  enabled = true\n  node_clas = "x"\n}\n',
      /:3,3.*"node_clas" is not a key of "client"\. Did you mean "node_class"\?/,
    ],
    ['wrong type', 'server {\n  enabled = "maybe"\n}\n', /:2,3.*"server.enabled" must be true or false/],
    ['value for a block', 'server = true\n', /"server" must be a block/],
    ['not built', 'acl {\n  enabled = true\n}\n', /"acl.enabled" cannot be used: access control is not built yet/],
    ['syntax', 'server {\n  enabled = \n}\n', /:2,/],
  ];
  for (const [name, text, expected] of cases)
    t.match((await load(await file('bad.hcl', text))).problems.join('\n'), expected, name);
  t.match((await load('none.hcl')).problems.join(''), /none\.hcl.*no such file/i);
  t.match(
    (await load(await file('bad.json', '{"server": {"enabeld": true}}'))).problems.join(''),
    /bad\.json.*server\.enabeld.*enabled/,
  );
  t.same((await load(await file('off.hcl', 'acl {\n  enabled = false\n}\n'))).problems, [], 'what is switched off may be there');
});

t.test('what must go together', (t) => {
  const problems = (settings: AgentConfigFile, dev = false): string =>
    agentOptions([], { ...flags, dev, settings }).problems.join('\n');
  t.match(problems({}), /Neither server nor client is enabled/);
  t.match(problems({ server: { enabled: true } }), /data_dir is missing/);
  t.match(problems({ data_dir: '/x', client: { enabled: true } }), /client\.servers is missing/);
  t.match(problems({ data_dir: '/x', server: { enabled: true }, ports: { http: 99999 } }), /ports\.http must be a port/);
  t.match(problems({ data_dir: '/x', server: { enabled: true }, log_level: 'loud' }), /log_level must be one of/);
  t.equal(problems({}, true), '', '-dev needs nothing');
  const etcd = { enabled: true, etcd_endpoints: ['https://e1:2379'] };
  t.match(problems({ data_dir: '/x', server: { enabled: true, etcd_ca_file: '/ca' } }), /etcd_ca_file says nothing without server\.etcd_endpoints/); // prettier-ignore
  t.match(problems({ data_dir: '/x', server: { ...etcd, etcd_cert_file: '/c' } }), /needs both its certificate file and its key/);
  t.match(problems({ data_dir: '/x', server: { ...etcd, etcd_username: 'orch' } }), /needs both a user name and a password file/);
  const files = { etcd_ca_file: '/ca', etcd_cert_file: '/c', etcd_key_file: '/k', etcd_server_name: 'e', etcd_username: 'u', etcd_password_file: '/p' }; // prettier-ignore
  const { options } = agentOptions([], { ...flags, settings: { data_dir: '/x', server: { ...etcd, ...files } } });
  t.strictSame(options.server?.etcd, { endpoints: ['https://e1:2379'], prefix: '/orch', caFile: '/ca', certFile: '/c', keyFile: '/k', serverName: 'e', username: 'u', passwordFile: '/p' }); // prettier-ignore
  t.end();
});
