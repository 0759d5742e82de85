import t from 'tap';
import { stringify } from 'yaml';
import {
  diffJobs,
  formatDiagnostics,
  formatHcl,
  fromNomadJob,
  impacts,
  parseJob,
  toNomadJob,
  type JobResult,
} from '../../jobspec/index.ts';
import type { Job } from '../../openapi/index.ts';
import { updateImpact } from '../../controllers/scheduler/reconcile/update-impact.ts';
import { everyChange, fullJob, isInherited, type Change } from './every-field.ts';
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

t.test('every field is kept in every form', (t) => {
  for (const job of [fullJob(), fullJob({ changed: true })]) {
    t.strictSame(read(formatHcl(job), 'x.nomad'), job, 'HCL');
    const api = toNomadJob(job);
    t.strictSame(toNomadJob(fromNomadJob({ Job: api }).job), api, "the JSON of Nomad's API");
  }
  const all: Change[] = [{ path: 'nothing', job: fullJob() }, ...everyChange()];
  const seen = new Map<string, string>();
  for (const { path, job } of all) {
    const api = JSON.stringify(toNomadJob(job));
    if (seen.has(api)) t.fail(`${path} has no place of its own in the JSON of Nomad's API: as ${seen.get(api)}`);
    seen.set(api, path);
  }
  t.end();
});

t.test('a change of any field shows in a plan, and is called destructive where the scheduler takes it for that', (t) => {
  const before = fullJob();
  for (const { path, job } of everyChange()) {
    if (isInherited(path)) continue;
    const diff = diffJobs(before, job, { complete: true });
    if (diff.type !== 'Edited') t.fail(`${path} does not show`);
    // What a network was called before it had ports never showed in plans.
    if (!/^groups\.(?!name$|count$)/.test(path) || /networks\.(device|cidr|ip)$/.test(path)) continue;
    if (/services\.name$/.test(path)) continue; // here a sidecar goes with the service
    const restarts = impacts(diff).some(({ effect }) => effect === 'restarts');
    const { type } = updateImpact(before.spec, job.spec, 'one');
    t.equal(restarts ? 'destructive' : 'in-place', type, `${path}: what -impact says`);
  }
  t.end();
});
