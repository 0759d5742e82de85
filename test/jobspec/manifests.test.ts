import t from 'tap';
import { formatDiagnosticLine, formatHcl, fromNomadJob, parseJob, parseManifests, toNomadJob } from '../../jobspec/index.ts';
import { job as jobSchema, type BlockSchema, type Field } from '../../jobspec/job/schema.ts';
import type { Job } from '../../openapi/index.ts';
import openapi from '../../openapi/openapi.json' with { type: 'json' };

const EXAMPLE = `apiVersion: orch.dev/v1
kind: Job
metadata: {name: example, labels: {team: core}}
spec:
  type: service
  datacenters: [dc1]
  update: {maxParallel: 1, minHealthyTime: 10s, healthyDeadline: 180s}
  groups:
    - name: cache
      count: 3
      networks: [{ports: [{label: db, to: 6379}]}]
      services: [{name: redis-cache, port: db, checks: [{name: alive, type: tcp, interval: 10s, timeout: 2s}]}]
      tasks:
        - name: redis
          driver: docker
          config: {image: "redis:3.2", ports: [db]}
          resources: {cpu: 500, memory: 256}
`;

const problems = (text: string, filename = 'job.yaml'): string[] => {
  const result = parseJob({ text, filename });
  return result.ok ? [] : result.diagnostics.map(formatDiagnosticLine);
};

t.test('a manifest, a job file and the JSON of the API are the same job', async (t) => {
  const yaml = parseJob({ text: EXAMPLE, filename: 'job.yaml' });
  if (!yaml.ok) return t.fail('refused', { diagnostics: yaml.diagnostics.map(formatDiagnosticLine) });
  t.equal(yaml.job.metadata.labels?.team, 'core');
  t.equal(yaml.job.spec.update?.healthyDeadline, '3m', 'durations have one form');

  const hcl = parseJob({ text: formatHcl(yaml.job), filename: 'job.nomad' });
  t.same(hcl.job?.spec, yaml.job.spec);
  const api = parseJob({ text: JSON.stringify({ Job: toNomadJob(yaml.job) }), filename: 'job.json' });
  t.same(api.job?.spec, yaml.job.spec);
  const json = parseJob({ text: JSON.stringify(yaml.job), filename: 'job.json' });
  t.same(json.job, yaml.job);
});

t.test('HCL has a JSON syntax, too', async (t) => {
  const text = JSON.stringify({
    variable: { n: { type: 'number', default: 2 } },
    job: {
      web: {
        datacenters: ['dc1'],
        group: {
          g: {
            count: '${var.n + 1}',
            task: { t: { driver: 'raw_exec', config: { command: 'a' }, env: { X: '${attr.cpu.arch}' } } },
          },
        },
      },
    },
  });
  const result = parseJob({ text, filename: 'job.json' });
  const native = parseJob({
    text: 'job "web" {\n  datacenters = ["dc1"]\n  group "g" {\n    count = 3\n    task "t" {\n      driver = "raw_exec"\n      config {\n        command = "a"\n      }\n      env {\n        X = "${attr.cpu.arch}"\n      }\n    }\n  }\n}\n',
    filename: 'job.nomad',
  });
  if (!result.ok) return t.fail('refused', { diagnostics: result.diagnostics.map(formatDiagnosticLine) });
  t.same(result.job, native.job);
});

t.test('everything wrong with a manifest is told, with its place', async (t) => {
  const broken = EXAMPLE.replace('count: 3', 'conut: 3')
    .replace('cpu: 500', 'cpu: "500"')
    .replace('interval: 10s', 'interval: soon')
    .replace('maxParallel', 'max_parallel');
  t.same(problems(broken), [
    'job.yaml:7,12-24: Unknown field; There is no field "max_parallel" in a UpdateStrategy. Did you mean "maxParallel"?',
    'job.yaml:10,7-12: Unknown field; There is no field "conut" in a TaskGroup. Did you mean "count"?',
    'job.yaml:12,92-96: Invalid value; time: invalid duration "soon".',
    'job.yaml:17,28-33: Invalid value; Expected a whole number, not the text "500".',
  ]);
  t.match(problems('apiVersion: v1\nkind: Pod\n'), [
    /^job\.yaml:2,7-10: Not a job; The kind of this object is "Pod"; a Job is expected\./,
  ]);
  t.match(problems('a: [1\n'), [/^job\.yaml:\d,\d.*Invalid YAML/]);
  t.match(problems('{"kind": "Job", }', 'x.json'), [
    /^x\.json:1,17-18: Invalid JSON; A comma must be followed by another property\./,
  ]);
  t.match(problems('', 'x.yaml'), [/The file is empty/]);
});

t.test('files with several objects', async (t) => {
  const text = `${EXAMPLE}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: b}}\n`;
  const result = parseManifests({ text, filename: 'all.yaml' });
  if (!result.ok) return t.fail('refused', { diagnostics: result.diagnostics.map(formatDiagnosticLine) });
  t.same(
    result.objects.map(({ object }) => `${String(object.kind)} ${(object.metadata as { name: string }).name}`),
    ['Job example', 'Namespace a', 'Namespace b'],
  );
  t.match(problems(text), [/More than one object/, /More than one object/]);
  const broken = parseManifests({ text: `${text}---\nkind: Job\nspec: {groups: {}}\n`, filename: 'all.yaml' });
  t.match(broken.ok ? [] : broken.diagnostics.map(formatDiagnosticLine), [
    /apiVersion must be/,
    /Expected a list/,
    /metadata\.name is required/,
  ]);
});

t.test("jobs of Nomad's API", async (t) => {
  t.equal(
    fromNomadJob({ job: { id: 'a/b', taskgroups: null } }).job.metadata.name,
    'a:b',
    'names of any case; a slash cannot be in the name of a resource',
  );
  t.equal(toNomadJob(fromNomadJob({ ID: 'a/b' }).job).ID, 'a/b');
  const { problems } = fromNomadJob({ ID: 'a', TaskGroups: [{ Name: 'g', Count: 'three', Flavour: 1 }] });
  t.same(
    problems.map((p) => `${p.severity} ${p.path.join('.')}: ${p.message}`),
    [
      'error TaskGroups.0.Count: Expected a whole number, not the text "three"',
      'warning TaskGroups.0.Flavour: There is no field "Flavour" in a TaskGroup; it is left out.',
    ],
  );
  const stored: Job = {
    metadata: { name: 'x', namespace: 'default' },
    spec: {},
    status: { phase: 'running', version: 3, stable: true, modifyIndex: 12 },
  };
  t.match(toNomadJob(stored), { Status: 'running', Version: 3, Stable: true, JobModifyIndex: 12, ParentID: '' });
});

/** What a job file cannot say. */
const beyond: Readonly<Record<string, readonly string[]>> = {
  spec: ['stop', 'parentID', 'dispatched', 'payload', 'dispatchIdempotencyToken'],
  'spec.periodic': ['historyLimit'],
};

t.test('the table of the job file has the fields of the resource, no more and no fewer', async (t) => {
  const schemas = openapi.components.schemas as unknown as Record<string, Schema>;
  const compare = (schema: BlockSchema, found: Schema, path: string, seen: Set<BlockSchema>): void => {
    if (seen.has(schema)) return;
    seen.add(schema);
    const properties = resolve(found).properties ?? {};
    const own = new Map(schema.fields.map((f) => [f.name, f]));
    const label = schema.label === undefined ? [] : [schema.label.name];
    const extra = beyond[path] ?? [];
    t.same([...own.keys(), ...label, ...extra].sort(), Object.keys(properties).sort(), path);
    for (const [name, field] of own) {
      const property = properties[name];
      if (property === undefined) continue;
      t.equal(typeOf(field), shapeOf(property), `${path}.${name}`);
      if (field.kind === 'block') compare(field.schema, property, `${path}.${name}`, seen);
      if (field.kind === 'blocks') compare(field.schema, resolve(property).items!, `${path}.${name}[]`, seen);
    }
  };
  const resolve = (s: Schema): Schema => (s.$ref === undefined ? s : schemas[s.$ref.replace('#/components/schemas/', '')]!);
  const shapeOf = (s: Schema): string => resolve(s).format ?? resolve(s).type ?? '';
  compare(jobSchema, schemas['dev.orch.v1.JobSpec']!, 'spec', new Set());
});

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
}

function typeOf(field: Field): string {
  switch (field.kind) {
    case 'int':
      return 'integer';
    case 'bool':
      return 'boolean';
    case 'string':
      return 'string';
    case 'duration':
      return 'go-duration';
    case 'strings':
    case 'ints':
    case 'blocks':
      return 'array';
    case 'map':
    case 'lists':
    case 'free':
    case 'block':
      return 'object';
  }
}
