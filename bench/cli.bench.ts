/** What a command costs before it does anything: wall time of a cold start beside a bare Node process, one run of each in turn. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { diffJobs, formatDiagnostics, formatHcl, parseJob } from '../jobspec/index.ts';
import { main, median, type Row } from './harness.ts';

const runs = 20;
const program = join(process.cwd(), 'dist/orchctl.cjs');
const nobody = '-address=http://127.0.0.1:1';

/** `status` finds no server: what is left is the client being loaded and one connection being refused. */
const cases: readonly [name: string, args: readonly string[]][] = [
  ['bare node', ['-e', '0']],
  ...[['version'], ['--help'], ['job', 'plan', '--help'], ['status', nobody]].map((args): [string, string[]] => [
    `orchctl ${args.filter((arg) => arg !== nobody).join(' ')}`,
    [program, ...args],
  ]),
];

function time(args: readonly string[]): number {
  const started = process.hrtime.bigint();
  spawnSync(process.execPath, args, { stdio: 'ignore' });
  return Number(process.hrtime.bigint() - started) / 1e6;
}

export async function run(): Promise<Row[]> {
  const times = cases.map((): number[] => []);
  for (let i = 0; i < runs; i++) cases.forEach(([, args], n) => times[n]!.push(time(args)));
  const bare = median(times[0]!);
  const rows = cases.flatMap(([name], n): Row[] => {
    const value = median(times[n]!);
    const row = { suite: 'cli', case: name, unit: 'ms' };
    const over = { ...row, metric: 'over bare node', value: value - bare };
    return [{ ...row, metric: 'cold start, median', value }, ...(n === 0 ? [] : [over])];
  });
  return Promise.resolve([...rows, ...parsing()]);
}

/** A job of 200 groups, each with a task, a service, constraints, a network and environment. */
function largeJob(): string {
  const group = (i: number): string =>
    `
  group "g${i}" {
    count = ${(i % 3) + 1}
    network {
      port "http" { to = ${8000 + i} }
    }
    service {
      name = "web-\${var.name}-${i}"
      port = "http"
      tags = ["a", "b${i}"]
      check {
        type     = "http"
        path     = "/health"
        interval = "10s"
        timeout  = "2s"
      }
    }
    constraint {
      attribute = "\${attr.kernel.name}"
      value     = "linux"
    }
    task "t" {
      driver = "docker"
      config {
        image = "redis:\${local.tag}"
        args  = [for n in range(3) : format("--n=%d", n + ${i})]
      }
      env {
        PORT = "\${NOMAD_PORT_http}"
        NAME = upper("g${i}")
      }
      resources {
        cpu    = 100
        memory = 64
      }
    }
  }`
      .replace('port "http" { to = ', 'port "http" {\n        to = ')
      .replace(/(to = \d+) \}/, '$1\n      }');
  const groups = Array.from({ length: 200 }, (_, i) => group(i)).join('\n');
  return `variable "name" {\n  default = "x"\n}\nlocals {\n  tag = "3.2"\n}\njob "large" {\n  datacenters = ["dc1"]\n${groups}\n}\n`;
}

function parsing(): Row[] {
  const file = { text: largeJob(), filename: 'large.nomad' };
  const measure = (work: () => unknown): number =>
    median(
      Array.from({ length: 9 }, () => {
        const started = process.hrtime.bigint();
        work();
        return Number(process.hrtime.bigint() - started) / 1e6;
      }),
    );
  const result = parseJob(file);
  if (!result.ok) throw new Error(formatDiagnostics(result.diagnostics));
  const row = { suite: 'cli', case: 'job of 200 groups', unit: 'ms' };
  return [
    { ...row, metric: 'parse, median', value: measure(() => parseJob(file)) },
    { ...row, metric: 'print as HCL, median', value: measure(() => formatHcl(result.job)) },
    { ...row, metric: 'diff with itself, median', value: measure(() => diffJobs(result.job, structuredClone(result.job))) },
  ];
}

await main('cli', run);
