import t from 'tap';
import { stringify } from 'yaml';
import {
  diffJobs,
  formatDiagnostics,
  formatHcl,
  fromNomadJob,
  parseJob,
  toNomadJob,
  type JobResult,
} from '../../jobspec/index.ts';
import type { Job } from '../../openapi/index.ts';
import { randomJob } from './random-job.ts';

const SEEDS = Array.from({ length: 40 }, (_, i) => i + 1);

function read(text: string, filename: string): Job {
  const result: JobResult = parseJob({ text, filename });
  if (!result.ok) throw new Error(formatDiagnostics(result.diagnostics));
  return result.job;
}

/** The API keeps ports with a fixed number apart, and empty lists and fields that are as if not set do not come back. */
function asTheApiHasIt(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asTheApiHasIt);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).flatMap(([key, v]): [string, unknown][] => {
    const inner = asTheApiHasIt(v);
    if (key === 'ports' && Array.isArray(inner)) {
      const fixed = (p: unknown): boolean => Number((p as { static?: number }).static ?? 0) > 0;
      return [[key, [...inner.filter(fixed), ...inner.filter((p) => !fixed(p))]]];
    }
    return [[key, inner]];
  });
  return Object.fromEntries(entries);
}

t.test('a job printed as HCL reads back as the same job, and prints the same again', async (t) => {
  for (const seed of SEEDS) {
    const job = randomJob(seed);
    const text = formatHcl(job);
    const again = read(text, 'x.nomad');
    if (!t.strictSame(again, job, `seed ${seed}`)) break;
    t.equal(formatHcl(again), text, `seed ${seed}: text`);
  }
});

t.test('so it does as YAML and as JSON', async (t) => {
  for (const seed of SEEDS) {
    const job = randomJob(seed);
    if (!t.strictSame(read(stringify(job), 'x.yaml'), job, `seed ${seed}: YAML`)) break;
    if (!t.strictSame(read(JSON.stringify(job), 'x.json'), job, `seed ${seed}: JSON`)) break;
  }
});

t.test("and by way of the JSON of Nomad's API", async (t) => {
  for (const seed of SEEDS) {
    const job = randomJob(seed);
    const api = toNomadJob(job);
    const { job: back, problems } = fromNomadJob(JSON.parse(JSON.stringify({ Job: api })));
    t.same(problems, [], `seed ${seed}`);
    // What is empty in the API is not set; set again it gives the same.
    if (!t.strictSame(toNomadJob(back), api, `seed ${seed}: the same for Nomad`)) break;
    if (!t.strictSame(asTheApiHasIt(read(formatHcl(back), 'x.nomad')), asTheApiHasIt(back), `seed ${seed}: HCL`)) break;
  }
});

t.test('a job does not differ from itself', async (t) => {
  for (const seed of SEEDS) {
    const job = randomJob(seed);
    t.equal(diffJobs(job, structuredClone(job), { complete: true }).type, 'None', `seed ${seed}`);
  }
});
