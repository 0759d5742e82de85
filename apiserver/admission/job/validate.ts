import { Cron } from 'croner';
import type { StatusCause } from '../../../base/index.ts';
import type { JobSpec, PeriodicConfig } from '../../../openapi/index.ts';
import type { JobMeta } from './defaults.ts';
import { collectFindings, didYouMean, type Findings } from './findings.ts';
import { jobTypes } from './policies.ts';
import { validateGroup } from './validate-group.ts';
import { validatePlacement } from './validate-placement.ts';
import { validateMigrate, validateReschedule, validateUpdate } from './validate-policies.ts';

/** Everything that is wrong with a canonical job, each with its field. What the schema says of types and formats is not repeated. */
export function validateJob(spec: JobSpec, meta: JobMeta): StatusCause[] {
  const causes: StatusCause[] = [];
  const findings = collectFindings('spec', causes);

  validateId(spec, meta, findings);
  if (spec.name === '') findings.required('name', 'Missing job name');
  else if (spec.name?.includes('\0')) findings.invalid('name', 'Job name contains a null character');
  if (!jobTypes.some((type) => type === spec.type)) {
    if (!spec.type) findings.required('type', 'Missing job type');
    else findings.invalid('type', `Invalid job type: "${spec.type}"${didYouMean(spec.type, jobTypes)}`);
  }
  if (spec.priority !== undefined && (spec.priority < 1 || spec.priority > 100)) {
    findings.invalid('priority', 'Job priority must be between [1, 100]');
  }
  if (spec.region === '') findings.required('region', 'Missing job region');
  spec.datacenters?.forEach((datacenter, i) => {
    if (datacenter.trim() === '')
      findings.at('datacenters', i).required('', 'A datacenter needs a name, a pattern like "eu-*", or "*" for all');
  });
  const groups = spec.groups ?? [];
  if (groups.length === 0) findings.required('groups', 'Missing job task groups');
  validatePlacement(spec, spec.type, 'job', findings);
  validateUpdate(spec.update, spec.type, findings.at('update'));
  validateMigrate(spec.migrate, spec.type, findings.at('migrate'));
  validateReschedule(
    spec.reschedule && { ...spec.groups?.[0]?.reschedule, ...spec.reschedule },
    spec.type,
    findings.at('reschedule'),
  );
  const first = new Map<string, number>();
  groups.forEach((group, i) => {
    const at = findings.at('groups', i);
    const before = first.get(group.name);
    if (before !== undefined) at.duplicate('name', `Job task group ${i + 1} redefines '${group.name}' from group ${before + 1}`);
    else first.set(group.name, i);
    validateGroup(group, spec, at);
  });
  validatePeriodic(spec, findings);
  validateParameterized(spec, findings);
  return causes;
}

function validateId(spec: JobSpec, meta: JobMeta, findings: Findings): void {
  const id = spec.id ?? meta.name;
  if (id === '') findings.required('id', 'Missing job ID');
  else if (/\s/.test(id)) findings.invalid('id', 'Job ID contains a space');
  else if (id.includes('\0')) findings.invalid('id', 'Job ID contains a null character');
  else if (id.replaceAll('/', ':') !== meta.name) {
    findings.invalid(
      'id',
      `Job ID "${id}" does not go with metadata.name "${meta.name}": expected the same text, with ":" for "/"`,
    );
  }
}

function validatePeriodic(spec: JobSpec, findings: Findings): void {
  const { periodic } = spec;
  if (periodic === undefined) return;
  const at = findings.at('periodic');
  if (spec.type !== 'batch' && spec.type !== 'sysbatch') at.invalid('', 'Periodic can only be used with "batch" scheduler');
  if (spec.parameterized !== undefined) at.invalid('', 'A job can be periodic or parameterized, not both');
  const specs = cronSpecs(periodic);
  if (specs.length === 0) at.required('cron', 'Missing cron expression: expected five to seven fields, like "*/15 * * * *"');
  for (const { field, cron } of specs) {
    const problem = cronProblem(cron);
    if (problem !== undefined) at.invalid(field, `Invalid cron spec "${cron}": ${problem}`);
  }
  if (periodic.cron !== undefined && periodic.crons !== undefined) at.invalid('crons', 'Give either cron or crons, not both');
  if (periodic.timeZone !== undefined && !isTimeZone(periodic.timeZone)) {
    at.invalid(
      'timeZone',
      `Invalid time zone "${periodic.timeZone}": expected a name of the IANA database, like "Europe/Berlin"`,
    );
  }
}

const cronSpecs = (periodic: PeriodicConfig): { field: string; cron: string }[] => [
  ...(periodic.cron === undefined ? [] : [{ field: 'cron', cron: periodic.cron }]),
  ...(periodic.crons ?? []).map((cron, i) => ({ field: `crons[${i}]`, cron })),
];

function cronProblem(cron: string): string | undefined {
  const fields = cron.trim().split(/\s+/).length;
  if (!cron.trim().startsWith('@') && fields < 5) return 'missing field(s)';
  try {
    new Cron(cron, { paused: true, timezone: 'UTC' });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function isTimeZone(name: string): boolean {
  if (name === 'Local') return true;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function validateParameterized(spec: JobSpec, findings: Findings): void {
  const { parameterized } = spec;
  if (parameterized === undefined) return;
  const at = findings.at('parameterized');
  if (spec.type !== 'batch' && spec.type !== 'sysbatch')
    at.invalid('', 'Parameterized job can only be used with "batch" scheduler');
  at.oneOf('payload', parameterized.payload, ['optional', 'required', 'forbidden'], 'payload requirement');
  const both = (parameterized.metaRequired ?? []).filter((key) => parameterized.metaOptional?.includes(key));
  if (both.length > 0) {
    at.duplicate(
      'metaOptional',
      `Required and optional meta keys should be disjoint. Following keys exist in both: ${both.join(', ')}`,
    );
  }
}
