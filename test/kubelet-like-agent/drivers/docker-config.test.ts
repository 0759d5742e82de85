import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { FramedEntries, toUnix, TtyEntries } from '../../../kubelet-like-agent/drivers/docker/collect.ts';
import {
  defaultPolicy,
  readConfig,
  validateConfig,
  type DockerPolicy,
} from '../../../kubelet-like-agent/drivers/docker/config.ts';
import { containerOptions } from '../../../kubelet-like-agent/drivers/docker/container.ts';
import { FramedOutput } from '../../../kubelet-like-agent/drivers/docker/frames.ts';
import { readStats } from '../../../kubelet-like-agent/drivers/docker/stats.ts';
import { resolveBinds } from '../../../kubelet-like-agent/drivers/docker/volumes.ts';
import { readDockerPlugin, type TaskStart } from '../../../kubelet-like-agent/drivers/index.ts';

const allocId = '4fef9fed-d03e-cbac-d480-8f4d4bc45ecb';
const root = `/opt/orch/alloc/${allocId}`;
const MB = 1024 * 1024;

const task = (more: Partial<TaskStart> = {}): TaskStart => ({
  nodeId: 'node-1',
  allocId,
  allocName: 'example.cache[0]',
  jobName: 'example',
  group: 'cache',
  namespace: 'default',
  task: 'redis',
  config: {},
  env: { NOMAD_TASK_NAME: 'redis' },
  resources: { name: 'redis', cpu: 500, memory: 256 },
  ports: [{ label: 'db', value: 23800, to: 6379, hostIP: '10.0.0.1' }],
  dirs: { alloc: `${root}/alloc`, task: `${root}/redis`, local: `${root}/redis/local`, secrets: `${root}/redis/secrets` },
  mounts: [],
  logs: { dir: `${root}/alloc/logs`, maxFiles: 10, maxFileSizeMB: 10, enabled: true },
  report: () => undefined,
  signal: new AbortController().signal,
  ...more,
});

const create = (config: Record<string, unknown>, more: Partial<TaskStart> = {}, policy: DockerPolicy = defaultPolicy) =>
  containerOptions({ task: task(more), config: readConfig({ image: 'redis:3.2', ...config }), policy, binds: [], coreMHz: 2000 });

t.test('validation', (t) => {
  const image = { image: 'redis:3.2' };
  const cases: [Record<string, unknown>, (string | RegExp)[]][] = [
    [image, []],
    [{}, ['image: is required']],
    [{ ...image, imge: 'x' }, ['imge: unknown option, did you mean "image"?']],
    [{ ...image, port_mapp: {} }, ['port_mapp: unknown option, did you mean "port_map"?']],
    [{ ...image, zzzzzz: 1 }, ['zzzzzz: unknown option']],
    [{ ...image, args: 'x' }, ['args: must be a list of strings']],
    [{ ...image, shm_size: 'large' }, ['shm_size: must be a number']],
    [{ ...image, shm_size: '64', tty: 'true', ports: ['db'], port_map: [{ db: 6379 }] }, []],
    [{ ...image, shm_size: '${meta.shm}' }, []],
    [{ ...image, load: 'image.tar' }, ['load: is not built in orch yet']],
    [{ ...image, mount: [{ type: 'bind', target: '/x', source: 'local/x', readonyl: true }] }, ['mount.readonyl: unknown option, did you mean "readonly"?']],
    [{ ...image, mounts: [{ type: 'tmpfs', target: '/a' }, { type: 'disk', target: '/b' }] }, ['mounts[1].type: must be one of bind, volume, tmpfs']],
    [{ ...image, mounts: [{ type: 'tmpfs' }] }, ['mounts.target: is required']],
    [{ ...image, privileged: true }, [/^privileged: is not permitted/]],
    [{ ...image, cap_add: ['CAP_SYS_ADMIN', 'chown'] }, [/^cap_add: sys_admin not permitted/]],
    [{ ...image, cap_drop: ['ALL'] }, []],
    [{ ...image, pid_mode: 'host' }, [/^pid_mode: the host's own is not permitted/]],
    [{ ...image, ipc_mode: 'host' }, [/^ipc_mode: the host's own is not permitted/]],
    [{ ...image, uts_mode: 'host', userns_mode: 'host', cgroupns: 'host' }, [/^uts_mode/, /^userns_mode/, /^cgroupns/]],
    [{ ...image, network_mode: 'host' }, []],
    [{ ...image, devices: [{ host_path: '/dev/sda' }] }, [/^devices: \/dev\/sda is not permitted/]],
    [{ ...image, security_opt: ['no-new-privileges'] }, []],
    [{ ...image, security_opt: ['seccomp=unconfined'] }, [/^security_opt: "seccomp=unconfined" is not permitted/]],
    [{ ...image, runtime: 'evil' }, [/^runtime: "evil" is not permitted/]],
    [{ ...image, volume_driver: 'nfs' }, [/^volume_driver: volumes are not enabled/]],
    [{ ...image, mount: { type: 'volume', target: '/x', source: 'data' } }, [/^mount: volumes are not enabled/]],
    [{ ...image, port_map: { db: 'x' } }, ['port_map.db: must be a port']],
    [{ ...image, ulimit: { nofile: '10:20', core: 'none' } }, [/^ulimit.core/]],
  ];
  for (const [config, expected] of cases) t.match(validateConfig(config, defaultPolicy), expected, JSON.stringify(config));
  for (const [config, expected] of cases) t.equal(validateConfig(config, defaultPolicy).length, expected.length, `no more: ${JSON.stringify(config)}`);
  const open: DockerPolicy = { ...defaultPolicy, allowPrivileged: true, allowCaps: ['all'], volumesEnabled: true, allowDevices: ['/dev/fuse'] };
  const dangerous = { ...image, privileged: true, cap_add: ['sys_admin'], pid_mode: 'host', devices: [{ host_path: '/dev/fuse' }], security_opt: ['seccomp=unconfined'], volume_driver: 'nfs' };
  t.same(validateConfig(dangerous, open), [], 'what the operator permits');
  t.match(validateConfig({ ...image, network_mode: 'host' }, { ...defaultPolicy, allowHostNamespaces: [] }), [/^network_mode/]);
  t.end();
}); // prettier-ignore

t.test('the container, as docker inspect shows it', (t) => {
  const options = create({ port_map: [{ db: 6379 }] });
  t.match(options, {
    name: `redis-${allocId}`,
    Image: 'redis:3.2',
    Env: ['NOMAD_TASK_NAME=redis'],
    Labels: { 'orch.dev/alloc-id': allocId, 'orch.dev/node-id': 'node-1', 'orch.dev/job': 'example', 'orch.dev/group': 'cache', 'orch.dev/task': 'redis' },
    ExposedPorts: { '6379/tcp': {}, '6379/udp': {} },
    HostConfig: {
      NetworkMode: 'bridge',
      PortBindings: { '6379/tcp': [{ HostIp: '10.0.0.1', HostPort: '23800' }], '6379/udp': [{ HostIp: '10.0.0.1', HostPort: '23800' }] },
      CpuShares: 500,
      Memory: 256 * MB,
      MemorySwap: 256 * MB,
      Privileged: false,
      CapDrop: ['NET_RAW'],
      LogConfig: { Type: 'json-file', Config: { 'max-file': '2', 'max-size': '100m' } },
    },
  });
  t.notOk('Cmd' in options, 'the image decides what runs');
  t.notOk('MemoryReservation' in options.HostConfig!);
  t.end();
}); // prettier-ignore

t.test('what a config becomes', (t) => {
  const cases: [string, Record<string, unknown>, Partial<TaskStart>, Record<string, unknown>][] = [
    ['a command', { command: 'sh', args: ['-c', 'true'] }, {}, { Cmd: ['sh', '-c', 'true'] }],
    ['arguments alone', { args: ['-x'] }, {}, { Cmd: ['-x'] }],
    ['an entrypoint', { entrypoint: ['/bin/sh'] }, {}, { Entrypoint: ['/bin/sh'] }],
    ['a user', {}, { user: 'www' }, { User: 'www' }],
    ['a folder', { work_dir: '/srv' }, {}, { WorkingDir: '/srv' }],
    ['a host name', { hostname: 'db' }, {}, { Hostname: 'db' }],
    ['the group\'s host name and dns', {}, { network: { mode: 'bridge', hostname: 'g', dns: { servers: ['1.1.1.1'] } } }, { Hostname: 'g', HostConfig: { Dns: ['1.1.1.1'] } }],
    ['dns of its own', { dns_servers: ['9.9.9.9'], dns_search_domains: ['x.y'], extra_hosts: ['a:1.2.3.4'] }, {}, { HostConfig: { Dns: ['9.9.9.9'], DnsSearch: ['x.y'], ExtraHosts: ['a:1.2.3.4'] } }],
    ['memory above what is reserved', {}, { resources: { name: 'redis', memory: 100, memoryMax: 300 } }, { HostConfig: { Memory: 300 * MB, MemoryReservation: 100 * MB } }],
    ['a hard memory limit', { memory_hard_limit: 400 }, {}, { HostConfig: { Memory: 400 * MB, MemoryReservation: 256 * MB } }],
    ['a hard cpu limit', { cpu_hard_limit: true }, {}, { HostConfig: { CpuPeriod: 100000, CpuQuota: 25000 } }],
    ['cores', {}, { resources: { name: 'redis', cores: [1, 3], memory: 1 } }, { HostConfig: { CpusetCpus: '1,3' } }],
    ['limits', { pids_limit: 50, ulimit: { nofile: '1:2', core: '3' }, sysctl: { 'net.core.somaxconn': '16384' }, shm_size: 1000 }, {}, { HostConfig: { PidsLimit: 50, Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }, { Name: 'core', Soft: 3, Hard: 3 }], Sysctls: { 'net.core.somaxconn': '16384' }, ShmSize: 1000 } }],
    ['capabilities', { cap_add: ['net_bind_service'], cap_drop: ['chown'] }, {}, { HostConfig: { CapAdd: ['NET_BIND_SERVICE'], CapDrop: ['NET_RAW', 'CHOWN'] } }],
    ['switches', { readonly_rootfs: true, init: true, tty: true, interactive: true }, {}, { Tty: true, OpenStdin: true, HostConfig: { ReadonlyRootfs: true, Init: true } }],
    ['a log driver', { logging: { type: 'syslog', config: [{ tag: 'x' }] } }, {}, { HostConfig: { LogConfig: { Type: 'syslog', Config: { tag: 'x' } } } }],
    ['no log', {}, { logs: { dir: '/x', maxFiles: 1, maxFileSizeMB: 1, enabled: false } }, { HostConfig: { LogConfig: { Type: 'none' } } }],
    ['a tmpfs', { mount: { type: 'tmpfs', target: '/t', tmpfs_options: { size: 100 } } }, {}, { HostConfig: { Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 100 } }] } }],
    ['a stop signal', {}, { killSignal: 'SIGQUIT' }, { StopSignal: 'SIGQUIT' }],
    ['labels, which cannot pretend', { labels: { a: 'b', 'orch.dev/alloc-id': 'other' } }, {}, { Labels: { a: 'b', 'orch.dev/alloc-id': allocId } }],
    ['no health check', { healthchecks: { disable: true } }, {}, { Healthcheck: { Test: ['NONE'] } }],
    ['the network of the node', { network_mode: 'host' }, {}, { HostConfig: { NetworkMode: 'host', PortBindings: {} } }],
    ['no network', {}, { network: { mode: 'none' } }, { HostConfig: { NetworkMode: 'none' } }],
    ['a network of one\'s own', { network_mode: 'backend', network_aliases: ['db'] }, {}, { NetworkingConfig: { EndpointsConfig: { backend: { Aliases: ['db'] } } } }],
    ['a sibling\'s network', { network_mode: `container:proxy-${allocId}` }, {}, { HostConfig: { NetworkMode: `container:proxy-${allocId}` } }],
  ];
  for (const [name, config, more, expected] of cases) t.match(create(config, more), expected, name);
  t.throws(() => create({ network_mode: 'container:somebody' }), /"somebody" is not one of this allocation/);
  t.throws(() => create({ pid_mode: 'container:somebody' }), /"somebody" is not one of this allocation/);
  t.end();
}); // prettier-ignore

t.test('ports', (t) => {
  const group = { network: { mode: 'host' } };
  const ports = [
    { label: 'db', value: 23800, to: 6379, hostIP: '10.0.0.1' },
    { label: 'admin', value: 23801, to: 23801, hostIP: '10.0.0.1' },
  ];
  const cases: [string, Record<string, unknown>, Partial<TaskStart>, string[]][] = [
    ['those named', { ports: ['db'] }, { ports, ...group }, ['6379<23800']],
    ['none named', {}, { ports, ...group }, []],
    ['mapped', { port_map: { db: 1234 } }, { ports, ...group }, ['1234<23800']],
    ["mapped, and the task's other ones", { port_map: { db: 1234 } }, { ports }, ['1234<23800', '23801<23801']],
    ["the task's own, without a word", {}, { ports }, ['6379<23800', '23801<23801']],
    ['all of a bridge', {}, { ports, network: { mode: 'bridge' } }, ['6379<23800', '23801<23801']],
  ];
  for (const [name, config, more, expected] of cases) {
    const bindings = create(config, more).HostConfig!.PortBindings as Record<string, { HostPort: string }[]>;
    const tcp = Object.entries(bindings).filter(([port]) => port.endsWith('/tcp'));
    t.same(tcp.map(([port, [to]]) => `${port.replace('/tcp', '')}<${to!.HostPort}`), expected, name); // prettier-ignore
  }
  t.throws(() => create({ ports: ['web'] }), /port "web" is not asked for/);
  t.end();
});

t.test('mounts stay inside', async (t) => {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'orch-volumes-')));
  t.teardown(() => rm(base, { recursive: true, force: true }));
  const dirs = {
    alloc: join(base, 'alloc'),
    task: join(base, 'web'),
    local: join(base, 'web/local'),
    secrets: join(base, 'web/secrets'),
  };
  for (const dir of [dirs.alloc, dirs.local, dirs.secrets, join(base, 'other/secrets')]) await mkdir(dir, { recursive: true });
  await symlink('/etc', join(dirs.local, 'etc'));
  await symlink('../../other', join(dirs.local, 'sibling'));
  await symlink('../../alloc', join(dirs.local, 'shared'));
  await writeFile(join(dirs.local, 'file'), 'x');
  const resolve = async (config: Record<string, unknown>, policy = defaultPolicy): Promise<string[]> => {
    const binds = await resolveBinds(task({ dirs }), readConfig({ image: 'x', ...config }), policy);
    return binds.slice(3).map(({ source, target, options }) => [source.replace(base, '.'), target, ...options].join(':'));
  };
  t.same(await resolve({ volumes: ['local/data:/data', 'conf:/conf:ro', 'local/file:/file'] }), ['./web/local/data:/data', './web/conf:/conf:ro', './web/local/file:/file']); // prettier-ignore
  t.same(
    await resolve({ volumes: ['../alloc/data:/d', 'local/shared/x:/x'] }),
    ['./alloc/data:/d', './alloc/x:/x'],
    'the shared folder',
  );
  t.same(await resolve({ mount: [{ type: 'bind', source: 'local', target: '/l', readonly: true }] }), ['./web/local:/l:ro']);
  t.same(await resolve({ volumes: [`${dirs.local}:/l`] }), ['./web/local:/l'], 'by its path');
  for (const volume of [
    '/etc:/etc',
    '../../x:/x',
    '../other/secrets:/s',
    'local/etc:/etc',
    'local/etc/new:/etc',
    'local/sibling/secrets:/s',
    '/:/host',
    `${dirs.local}/etc:/etc`,
  ]) {
    // prettier-ignore
    await t.rejects(resolve({ volumes: [volume] }), /volumes are not enabled|leads out/, volume);
    const [source] = volume.split(':');
    await t.rejects(
      resolve({ mount: { type: 'bind', source, target: '/x' } }),
      /volumes are not enabled|leads out/,
      `mount ${volume}`,
    );
  }
  for (const volume of ['x', ':/x', 'x:relative', 'a:/b:ro:z'])
    await t.rejects(resolve({ volumes: [volume] }), /is not "source/, volume);
  t.same(await resolve({ volumes: ['/etc:/etc:ro'] }, { ...defaultPolicy, volumesEnabled: true }), ['/etc:/etc:ro'], 'permitted');
  await t.rejects(
    resolve({ volumes: ['local/etc:/x'] }, { ...defaultPolicy, volumesEnabled: true }),
    /leads out/,
    'a planted link is not permission',
  );
});

t.test('frames', (t) => {
  const frame = (type: number, text: string): Buffer => {
    const header = Buffer.alloc(8);
    header[0] = type;
    header.writeUInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([header, Buffer.from(text)]);
  };
  const time = '2026-01-01T00:00:00.123456789Z';
  const data = Buffer.concat([frame(1, `${time} hello\n`), frame(2, `${time} oops\n`), frame(1, `${time} \n`)]);
  for (const size of [1, 3, 7, 8, 9, 1000]) {
    const parser = new FramedEntries();
    const output = new FramedOutput(1000);
    const entries = [];
    for (let at = 0; at < data.length; at += size) {
      entries.push(...parser.push(data.subarray(at, at + size)));
      output.push(data.subarray(at, at + size));
    }
    t.same(entries.map((e) => [e.type, e.time, e.data.toString()]), [['stdout', time, 'hello\n'], ['stderr', time, 'oops\n'], ['stdout', time, '\n']]); // prettier-ignore
    t.equal(output.text(), `${time} hello\n${time} oops\n${time} \n`, `in pieces of ${size}`);
  }
  const limited = new FramedOutput(5);
  limited.push(frame(1, 'abcdefgh'));
  t.equal(limited.text(), 'abcde');
  t.same(
    new TtyEntries().push(Buffer.from(`${time} a\r\n${time} b`)).map((e) => e.data.toString()),
    ['a\r\n'],
  );
  t.equal(toUnix(time), '1767225600.123456789');
  t.end();
});

t.test('stats', (t) => {
  const raw = { cpu_stats: { cpu_usage: { total_usage: 3e9 } }, memory_stats: { usage: 1000, stats: { total_inactive_file: 300 } }, pids_stats: { current: 4 } };
  t.match(readStats(raw, { at: 0, nanoseconds: 1e9 }, 4000, 2000), { stats: { cpuPercent: 50, cpuMHz: 1000, memoryBytes: 700, pids: 4 }, sample: { at: 4000, nanoseconds: 3e9 } });
  t.equal(readStats({}, { at: 0, nanoseconds: 0 }, 1, 1), undefined);
  t.end();
}); // prettier-ignore

t.test('the plugin block of an agent', (t) => {
  t.same(readDockerPlugin({}), {});
  t.same(
    readDockerPlugin({
      allow_privileged: true,
      allow_caps: ['CAP_NET_ADMIN'],
      volumes: [{ enabled: true }],
      gc: { image: true, image_delay: '1h', container: false },
      endpoint: 'unix:///x.sock',
    }),
    { endpoint: 'unix:///x.sock', imageGC: true, imageDelay: 3_600_000, removeContainers: false, volumesEnabled: true, allowPrivileged: true, allowCaps: ['net_admin'] }, // prettier-ignore
  );
  t.throws(
    () => readDockerPlugin({ allow_privilegd: true }),
    /plugin "docker": allow_privilegd: unknown option, did you mean "allow_privileged"\?/,
  );
  t.throws(() => readDockerPlugin({ tls: {} }), /tls: is not built/);
  t.throws(() => readDockerPlugin({ allow_host_namespaces: ['world'] }), /there is no "world"/);
  t.end();
});
