import { Cron } from 'croner';
import { parseDuration, type StatusCause } from '../../../base/index.ts';
import type { JobSpec, PeriodicConfig, TaskGroup } from '../../../openapi/index.ts';
import type { JobMeta } from './defaults.ts';
import { collectFindings, type Findings } from './findings.ts';
import { jobTypes } from './policies.ts';
import { validateConnect } from './validate-connect.ts';
import { validateGroup } from './validate-group.ts';
import { validatePlacement } from './validate-placement.ts';
import { validateMigrate, validateReschedule, validateUpdate } from './validate-policies.ts';

/** Everything that is wrong with a canonical job, each with its field. What the schema says of types and formats is not repeated. */
export function validateJob(spec: JobSpec, meta: JobMeta): StatusCause[] {
  const causes: StatusCause[] = [];
  const findings = collectFindings('spec', causes);

  validateConnect(spec, findings);
  if (spec.region === '') findings.required('region', 'Missing job region');
  validateId(spec, meta, findings);
  if (spec.name === '') findings.required('name', 'Missing job name');
  else if (spec.name?.includes('\0')) findings.invalid('name', 'Job Name contains a null character');
  if (!jobTypes.some((type) => type === spec.type)) {
    if (!spec.type) findings.required('type', 'Missing job type');
    else findings.invalid('type', `Invalid job type: "${spec.type}"`);
  }
  if (spec.priority !== undefined && (spec.priority < 1 || spec.priority > 100)) {
    findings.invalid('priority', 'Job priority must be between [1, 100]');
  }
  if ((spec.datacenters ?? []).length === 0) findings.required('datacenters', 'Missing job datacenters');
  spec.datacenters?.forEach((datacenter, i) => {
    if (datacenter.trim() === '') findings.at('datacenters', i).required('', 'Job datacenter must be non-empty string');
  });
  const groups = spec.groups ?? [];
  if (groups.length === 0) findings.required('groups', 'Missing job task groups');
  validatePlacement(spec, spec.type, 'job', findings);
  validateGroupsTogether(spec, groups, findings);
  validateUpdate(spec.update, spec.type, findings.at('update'));
  validateMigrate(spec.migrate, spec.type, findings.at('migrate'));
  validateReschedule(
    spec.reschedule && { ...spec.groups?.[0]?.reschedule, ...spec.reschedule },
    spec.type,
    findings.at('reschedule'),
  );
  groups.forEach((group, i) => validateGroup(group, spec, findings.at('groups', i)));
  validatePeriodic(spec, findings);
  validateParameterized(spec, findings);
  return causes;
}

/** What is told of groups before any of them is looked into. */
function validateGroupsTogether(spec: JobSpec, groups: readonly TaskGroup[], findings: Findings): void {
  const first = new Map<string, number>();
  groups.forEach((group, i) => {
    const { name, count = 1 } = group;
    const before = first.get(name);
    const at = findings.at('groups', i);
    if (name === '') at.required('name', `Job task group ${i + 1} missing name`);
    else if (before !== undefined) at.duplicate('name', `Job task group ${i + 1} redefines '${name}' from group ${before + 1}`);
    else first.set(name, i);
    if ((parseDuration(group.shutdownDelay) ?? 0) < 0) at.invalid('shutdownDelay', 'ShutdownDelay must be a positive value');
    const stopAfter = parseDuration(group.stopAfterClientDisconnect) ?? 0;
    if (stopAfter < 0) at.invalid('stopAfterClientDisconnect', 'stop_after_client_disconnect must be a positive value');
    else if (stopAfter > 0 && spec.type !== 'batch' && spec.type !== 'service')
      at.invalid('stopAfterClientDisconnect', 'stop_after_client_disconnect can only be set in batch and service jobs');
    if (spec.type === 'system' && count > 1) {
      const words = `Job task group ${name} has count ${count}. Count cannot exceed 1 with system scheduler`;
      at.invalid('count', words);
    }
  });
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
  if (periodic.enabled === false) return;
  if (specs.length === 0) at.required('cron', 'Must specify a spec');
  if (periodic.timeZone && !isTimeZone(periodic.timeZone)) {
    const why = `unknown time zone ${periodic.timeZone}`;
    at.invalid('timeZone', `Invalid time zone "${periodic.timeZone}": ${why}`);
  }
  for (const { field, cron } of specs) {
    const problem = cronProblem(cron);
    if (problem !== undefined) at.invalid(field, `Invalid cron spec "${cron}": ${problem}`);
  }
  if (periodic.cron !== undefined && periodic.crons !== undefined) at.invalid('crons', 'Give either cron or crons, not both');
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
  const { payload = 'optional' } = parameterized;
  if (!['optional', 'required', 'forbidden'].includes(payload))
    at.invalid('payload', `Unknown payload requirement: "${payload}"`);
  const both = (parameterized.metaRequired ?? []).filter((key) => parameterized.metaOptional?.includes(key));
  if (both.length > 0) {
    at.duplicate(
      'metaOptional',
      `Required and optional meta keys should be disjoint. Following keys exist in both: [${both.join(' ')}]`,
    );
  }
}
