import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { defaultJob } from '../../apiserver/admission/job/index.ts';
import {
  diffJobs,
  diffToJson,
  filesBelow,
  formatDiagnosticLine,
  formatHcl,
  formatJobDiff,
  fromNomadJob,
  parseJob,
  toNomadJob,
  type JobResult,
} from '../../jobspec/index.ts';
import type { Job } from '../../openapi/index.ts';

const fixtures = fileURLToPath(new URL('../../../test/jobspec/fixtures', import.meta.url));

/** Where we deliberately do otherwise than the recorded program. */
const DIFFERENT: Record<string, string> = {
  block_constraint_ops: 'set_contains_any in a constraint is an operator here; there it is dropped without a word',
};

interface Case {
  readonly file: string;
  readonly stdin: boolean;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

function run(folder: string): JobResult {
  const { file, stdin, args, env } = json(join(folder, 'case.json')) as Case;
  const variables: string[] = [];
  const varFiles: { text: string; filename: string }[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '-var') variables.push(args[++i]!);
    else if (arg.startsWith('-var-file=')) varFiles.push({ filename: arg.slice(10), text: read(join(folder, arg.slice(10))) });
    else throw new Error(`${folder}: what is ${arg}?`);
  }
  const source = { text: read(join(folder, file)), filename: stdin ? '-' : file };
  return parseJob(source, { variables, varFiles, env, files: filesBelow(folder) });
}

/** Passwords are not shown in diffs; the recorded ones are. */
const masked = (text: string): string => text.replaceAll('"hidden"', '"(sensitive)"');
const read = (path: string): string => readFileSync(path, 'utf8');
const json = (path: string): unknown => JSON.parse(read(path));
const folders = (kind: string): string[] => readdirSync(join(fixtures, kind));

t.test('job files become the JSON that was recorded, or are refused at the same place with the same words', async (t) => {
  for (const name of folders('jobspec')) {
    const folder = join(fixtures, 'jobspec', name);
    const result = run(folder);
    if (existsSync(join(folder, 'output.txt'))) {
      const recorded = read(join(folder, 'output.txt')).split('--- stderr\n')[1]!.trimEnd().split('\n').slice(1);
      t.same(result.diagnostics.map(formatDiagnosticLine), recorded, name);
    } else if (!result.ok) t.fail(name, { diagnostics: result.diagnostics.map(formatDiagnosticLine) });
    else if (DIFFERENT[name] === undefined)
      t.same({ Job: toNomadJob(result.job, result.tokens) }, json(join(folder, 'output.json')), name);
  }
});

t.test('the recorded JSON, read and written again, is the same', async (t) => {
  for (const name of folders('jobspec')) {
    const path = join(fixtures, 'jobspec', name, 'output.json');
    if (!existsSync(path)) continue;
    const recorded = json(path) as { Job: Record<string, unknown> };
    const { job, problems } = fromNomadJob(recorded);
    t.same(problems, [], `${name}: nothing is unknown`);
    t.same(toNomadJob(job), { ...recorded.Job, ConsulToken: null, VaultToken: null }, name);
  }
});

t.test('a job printed as HCL reads back as the same job', async (t) => {
  for (const name of folders('jobspec')) {
    const result = run(join(fixtures, 'jobspec', name));
    if (!result.ok) continue;
    const again = parseJob({ text: formatHcl(result.job), filename: 'again.nomad' });
    t.same(again.job, result.job, name);
  }
});

t.test('plans differ as recorded, field by field and as text', async (t) => {
  for (const name of folders('plan')) {
    const folder = join(fixtures, 'plan', name);
    if (!existsSync(join(folder, 'response.json'))) continue;
    const response = json(join(folder, 'response.json')) as { status: number; body: Answer };
    if (response.status !== 200) continue; // refused by the server; not our business
    const { steps } = json(join(folder, 'case.json')) as { steps: readonly { run?: string; stop?: unknown }[] };
    const registered = steps.findLast((step) => step.run !== undefined)?.run;
    const stopped = steps.at(-1)?.stop !== undefined;
    const before = registered === undefined ? undefined : canonical(join(folder, registered), stopped);
    const diff = diffJobs(before, canonical(join(folder, 'after.nomad'), false), {
      plan: { desiredUpdates: desiredUpdates(response.body) },
    });
    t.same(diffToJson(diff), JSON.parse(masked(JSON.stringify(response.body.Diff))), name);
    for (const [file, verbose] of [
      ['plan.txt', false],
      ['plan-verbose.txt', true],
    ] as const) {
      const recorded = masked(read(join(folder, file)).split('--- stdout\n')[1]!.split('Scheduler dry-run')[0]!);
      t.equal(`${formatJobDiff(diff, { verbose })}\n`.trimEnd(), recorded.trimEnd(), `${name}: ${file}`);
    }
  }
});

t.test('a job does not differ from itself', async (t) => {
  for (const name of folders('plan')) {
    const job = parseJob({ text: read(join(fixtures, 'plan', name, 'after.nomad')), filename: 'after.nomad' }).job;
    if (job !== undefined) t.equal(diffJobs(job, structuredClone(job), { complete: true }).type, 'None', name);
  }
});

interface Answer {
  readonly Diff: unknown;
  readonly Annotations: { readonly DesiredTGUpdates: Readonly<Record<string, Readonly<Record<string, number>>>> } | null;
}

function canonical(path: string, stop: boolean): Job {
  const result = parseJob({ text: read(path), filename: path });
  if (!result.ok) throw new Error(result.diagnostics.map(formatDiagnosticLine).join('\n'));
  const { job } = result;
  const spec = defaultJob(job.spec, { name: job.metadata.name!, namespace: 'default' });
  return { ...job, spec: { ...spec, stop } };
}

function desiredUpdates({ Annotations }: Answer): Record<string, Record<string, number>> {
  const lower = (counts: Readonly<Record<string, number>>): Record<string, number> =>
    Object.fromEntries(Object.entries(counts).map(([key, n]) => [key[0]!.toLowerCase() + key.slice(1), n]));
  return Object.fromEntries(Object.entries(Annotations?.DesiredTGUpdates ?? {}).map(([group, counts]) => [group, lower(counts)]));
}
