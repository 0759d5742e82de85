/** A whole cluster in real processes: from submission to all allocations running, and what it costs when idle. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { AllocationKind, NodeKind } from '../openapi/index.ts';
import { freePorts, Sandbox, type Process } from '../test/framework/orchctl.ts';
import { cpuSeconds, main, type Row } from './harness.ts';

/** Resident memory of a process, in MB. */
function rss(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) / 1024;
}

const row = (name: string, metric: string, value: number, unit: string): Row => ({
  suite: 'cluster',
  case: name,
  metric,
  value,
  unit,
});

export async function run(): Promise<Row[]> {
  const [http, rpc, clientHttp] = await freePorts(3);
  const box = new Sandbox(`http://127.0.0.1:${http}`);
  const rows: Row[] = [];
  try {
    const config = (name: string, text: string) => writeFile(join(box.dir, name), text);
    await config(
      'server.hcl',
      `data_dir = "${box.dir}/server"\nserver { enabled = true }\nports {\n http = ${http}\n rpc = ${rpc}\n}\n`,
    );
    await config(
      'client.hcl',
      `data_dir = "${box.dir}/client"\nclient {\n enabled = true\n servers = ["127.0.0.1:${rpc}"]\n cpu_total_compute = 1000000\n memory_total_mb = 1000000\n}\nplugin "raw_exec" {\n config {\n enabled = true\n }\n}\nports {\n http = ${clientHttp}\n}\n`,
    );
    const server: Process = box.start('agent', '-config=server.hcl');
    await server.says(/orch agent started!/);
    const agent: Process = box.start('agent', '-config=client.hcl');
    await agent.says(/orch agent started!/);
    const client = box.client();
    await box.eventually('the node', async () => (await client.list(NodeKind)).items.some((n) => n.status?.phase === 'ready'));

    for (const count of [1, 50, 200]) {
      await config(
        'job.nomad',
        `job "bench${count}" {\n datacenters = ["dc1"]\n group "g" {\n count = ${count}\n ephemeral_disk {\n size = 10\n }\n task "t" {\n driver = "raw_exec"\n config {\n command = "/bin/sleep"\n args = ["3600"]\n }\n logs {\n max_files = 1\n max_file_size = 1\n }\n resources {\n cpu = 20\n memory = 10\n }\n }\n }\n}\n`,
      );
      const running = new Set<string>();
      const controller = new AbortController();
      const { metadata } = await client.list(AllocationKind, { namespace: 'default' });
      const started = process.hrtime.bigint();
      const submit = box.ok('job', 'run', '-detach', 'job.nomad');
      for await (const { type, object } of client.watch(AllocationKind, {
        namespace: 'default',
        fieldSelector: `spec.jobName=bench${count}`,
        resourceVersion: metadata.resourceVersion,
        signal: controller.signal,
      })) {
        if (type === 'BOOKMARK' || object.status?.phase !== 'running') continue;
        running.add(object.metadata.name);
        if (running.size === count) break;
      }
      rows.push(row(`raw_exec x ${count}`, 'submit to all running', Number(process.hrtime.bigint() - started) / 1e9, 's'));
      await submit;
      await box.ok('job', 'stop', '-detach', '-purge', `bench${count}`);
      await box.eventually(
        'the end',
        async () =>
          !spawnSync('pgrep', ['-P', String(agent.pid)])
            .stdout.toString()
            .trim(),
      );
    }

    const idleSeconds = 10;
    const before = [cpuSeconds(server.pid), cpuSeconds(agent.pid)];
    await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1000));
    rows.push(row('idle server', 'memory', rss(server.pid), 'MB'), row('idle agent', 'memory', rss(agent.pid), 'MB'));
    rows.push(row('idle server', 'cpu', ((cpuSeconds(server.pid) - before[0]!) / idleSeconds) * 100, '% of a core'));
    rows.push(row('idle agent', 'cpu', ((cpuSeconds(agent.pid) - before[1]!) / idleSeconds) * 100, '% of a core'));
    const started = process.hrtime.bigint();
    for (let i = 0; i < 5; i++) await box.ok('status');
    rows.push(row('orchctl status', 'wall', Number(process.hrtime.bigint() - started) / 5e6, 'ms'));
    client.close();
  } finally {
    await box.close();
  }
  return rows;
}

await main('cluster', run);
