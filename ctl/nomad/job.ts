import { parseDuration, parseTimestamp } from '../../base/index.ts';
import type { Job, Stored } from '../../openapi/index.ts';

/** A job of the server as Nomad's API shows it: with what the server knows of it, and its fields in the order of their names. */
export async function storedNomadJson(job: Stored<Job>): Promise<{ readonly Job: unknown }> {
  const { toNomadJob } = await import('../../jobspec/index.ts');
  const { metadata, spec, status = {} } = job;
  const index = status.modifyIndex ?? 0;
  return {
    Job: inOrder({
      ...toNomadJob(withoutLateDefaults(job)),
      ...(spec.update !== undefined && { Update: jobUpdate(spec.update) }),
      Stop: spec.stop === true,
      Status: status.phase ?? 'pending',
      StatusDescription: status.description ?? '',
      Stable: status.stable === true,
      Version: status.version ?? 0,
      SubmitTime: (parseTimestamp(status.submittedAt ?? metadata.creationTimestamp) ?? 0) * 1e6,
      CreateIndex: index,
      ModifyIndex: Number(metadata.resourceVersion),
      JobModifyIndex: index,
      Dispatched: false,
      ...Object.fromEntries(unusedTexts.map((name) => [name, ''])),
    }),
  };
}

/** Once it is stored, the update block of a job keeps what concerns all groups; the rest is in the groups. */
function jobUpdate({ stagger = '30s', maxParallel = 1 }: NonNullable<Job['spec']['update']>): unknown {
  const all = maxParallel > 0;
  return {
    Stagger: all ? (parseDuration(stagger) ?? 0) * 1e6 : 0,
    MaxParallel: all ? maxParallel : 0,
    HealthCheck: '',
    MinHealthyTime: 0,
    HealthyDeadline: 0,
    ProgressDeadline: 0,
    Canary: 0,
    AutoRevert: false,
    AutoPromote: false,
  };
}

/** Without the defaults of fields that came after the API whose form this is; who did not set them does not expect them. */
function withoutLateDefaults(job: Stored<Job>): Stored<Job> {
  const spec = structuredClone(job.spec);
  if (spec.nodePool === 'default') delete spec.nodePool;
  for (const group of spec.groups ?? []) {
    group.consul ??= { namespace: '' };
    for (const { restart, services = [] } of [group, ...(group.tasks ?? [])]) {
      if (restart?.renderTemplates === false) delete restart.renderTemplates;
      for (const service of services) if (service.provider === 'nomad') delete service.provider;
    }
  }
  return { ...job, spec };
}

const unusedTexts = ['ConsulNamespace', 'ConsulToken', 'VaultNamespace', 'VaultToken', 'NomadTokenID', 'ParentID'];
/** Numbers that a stored job has where its file says nothing. */
const numbers = new Set(['DiskMB', 'IOPS', 'MemoryMaxMB', 'MBits', 'Cores']);

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, inner === null && numbers.has(key) ? 0 : inOrder(inner)]));
}
