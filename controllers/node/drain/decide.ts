import { derivedUuid, parseDuration, parseTimestamp, toTimestamp, type Instant } from '../../../base/index.ts';
import type { Allocation, DrainSpec, DrainStatus, Evaluation, NodeStatus, Stored, TaskGroup } from '../../../openapi/index.ts';
import {
  clientPhase,
  isBatch,
  isClientTerminal,
  isDeleted,
  isSystem,
  isTerminal,
  jobRefOfAllocation,
  newEvaluation,
} from '../../objects/index.ts';
import { TRANSACTION } from '../../runtime/index.ts';
import { appendEvent } from '../node-events.ts';
import type { Observed } from './observe.ts';

/** Allocations of one job that are marked in one transaction with the Evaluation that moves them. */
export interface Migration {
  readonly allocations: readonly Stored<Allocation>[];
  readonly evaluation: Evaluation;
}

export interface Plan {
  readonly status?: NodeStatus;
  /** `ineligible`: nothing new may come. `done`: the wish is fulfilled and taken off. */
  readonly spec?: 'ineligible' | 'done';
  readonly migrations: readonly Migration[];
  readonly because: string;
  readonly wakeAt?: Instant;
}

/** The next step of a drain. Pure: the same input gives the same plan. */
export function decide(observed: Observed, now: Instant): Plan {
  const { node, allocations } = observed;
  const wish = node.spec.drain;
  if (wish === undefined) return ended(observed, now);
  const before = node.status?.drain?.phase === 'draining' ? node.status.drain : undefined;
  // Who asks once more, with another deadline perhaps, has it counted from then.
  const running = before?.requestedAt === wish.startedAt ? before : undefined;
  if (node.spec.eligibility !== 'ineligible') return { spec: 'ineligible', migrations: [], because: 'it drains' };
  const moving = allocations.filter((a) => !isClientTerminal(a) && !isSpared(a, wish));
  const unhealthy = moving.length > 0 ? [] : unhealthyReplacements(observed);
  const waitingFor = reasonToWait(observed, moving, unhealthy);
  const drain: DrainStatus = {
    phase: 'draining',
    startedAt: running?.startedAt ?? toTimestamp(now),
    ...(wish.startedAt !== undefined && { requestedAt: wish.startedAt }),
    updatedAt: running?.updatedAt ?? toTimestamp(now),
    remaining: moving.length,
    ...(wish.message !== undefined && { message: wish.message }),
    ...(waitingFor !== undefined && { waitingFor }),
  };
  const news = before === undefined ? 'Node drain strategy set' : 'Node drain strategy updated';
  const events = running === undefined ? { events: appendEvent(node.status?.events, 'Drain', news, now) } : {};
  const status: NodeStatus = { ...node.status, drain, ...events };
  // First it is written down when the drain began; everything else is counted from there.
  if (running === undefined) return { status, migrations: [], because: 'a drain is asked for' };

  const deadline = deadlineOf(wish, drain.startedAt!);
  const overdue = deadline !== undefined && deadline <= now;
  if (moving.length === 0 && (overdue || unhealthy.length === 0))
    return { spec: 'done', migrations: [], because: 'nothing is left' };
  const open = moving.filter((a) => !isTerminal(a) && a.spec.desiredTransition?.migrate !== true);
  const chosen = overdue ? open : choose(observed, open, moving);
  const because = overdue
    ? deadline === -Infinity
      ? 'the drain is forced'
      : 'the deadline of the drain has passed'
    : 'the node drains';
  return {
    status,
    migrations: migrationsOf(observed, chosen),
    because,
    ...(deadline !== undefined && !overdue && { wakeAt: deadline }),
  };
}

/** The wish is gone: fulfilled by us, or taken back. */
function ended({ node, allocations }: Observed, now: Instant): Plan {
  const { drain, events } = node.status ?? {};
  const complete = allocations.every((a) => isClientTerminal(a) || isSystem(a.spec.jobType));
  const message = complete ? 'Node drain complete' : 'Node drain disabled';
  return {
    status: {
      ...node.status,
      drain: { ...drain, phase: complete ? 'complete' : 'cancelled', updatedAt: toTimestamp(now) },
      events: appendEvent(events, 'Drain', message, now),
    },
    migrations: [],
    because: complete ? 'nothing is left' : 'the drain was disabled',
  };
}

/** Undefined: none. -Infinity: at once. */
function deadlineOf({ deadline }: DrainSpec, startedAt: string): Instant | undefined {
  const length = parseDuration(deadline) ?? 0;
  if (length === 0) return undefined;
  return length < 0 ? -Infinity : (parseTimestamp(startedAt) ?? 0) + length;
}

const isSpared = (a: Stored<Allocation>, wish: DrainSpec): boolean => wish.ignoreSystemJobs === true && isSystem(a.spec.jobType);

/** Which allocations are marked next, before the deadline. */
function choose(
  observed: Observed,
  open: readonly Stored<Allocation>[],
  moving: readonly Stored<Allocation>[],
): Stored<Allocation>[] {
  const system = open.filter((a) => a.spec.jobType === 'system');
  if (moving.every((a) => a.spec.jobType === 'system')) return system;
  const services = open.filter((a) => !isSystem(a.spec.jobType) && !isBatch(a.spec.jobType));
  const groups = new Map<string, Stored<Allocation>[]>();
  for (const a of services) {
    const key = `${a.spec.jobUID}/${a.spec.group}`;
    groups.set(key, [...(groups.get(key) ?? []), a]);
  }
  return [...groups.values()].flatMap((own) => chooseOfGroup(observed, own));
}

/** As many as leave `count - max_parallel` of the group healthy, of those that are on their way in the whole cluster. */
function chooseOfGroup(observed: Observed, own: readonly Stored<Allocation>[]): Stored<Allocation>[] {
  const { jobUID, group: name } = own[0]!.spec;
  const { job, running } = observed.jobs.get(jobUID)!;
  // The job is on its way out, and its allocations with it.
  if (job === undefined || job.spec.stop === true || isDeleted(job)) return [];
  const group = job.spec.groups?.find((g) => g.name === name);
  if (group === undefined) return [];
  const peers = running.filter((a) => a.spec.group === name);
  const marked = peers.filter((a) => a.spec.desiredTransition?.migrate === true);
  const healthy = peers.filter((a) => !marked.includes(a) && isHealthy(a, group));
  const parallel = Math.max(1, group.migrate?.maxParallel ?? 1);
  const free = Math.max(0, parallel - marked.length);
  const byIndex = [...own].sort((a, b) => a.spec.index - b.spec.index);
  // One that serves nobody may go without making things worse.
  const idle = byIndex.filter((a) => !isHealthy(a, group)).slice(0, free);
  const spare = healthy.length - ((group.count ?? 1) - parallel);
  const serving = byIndex.filter((a) => isHealthy(a, group)).slice(0, Math.max(0, Math.min(spare, free - idle.length)));
  return [...idle, ...serving];
}

/** Its node says that it is healthy; where nobody asks the node (`manual`), that it runs is enough. */
function isHealthy(a: Stored<Allocation>, group: TaskGroup): boolean {
  if (clientPhase(a) !== 'running') return false;
  const by = a.spec.deployment !== undefined ? group.update?.healthCheck : group.migrate?.healthCheck;
  return a.status?.deploymentHealth?.healthy ?? by === 'manual';
}

/** By name, what was moved off the node and does not serve elsewhere yet, though it is still wanted. */
function unhealthyReplacements({ allocations, jobs }: Observed): string[] {
  const moved = allocations.filter((a) => a.spec.desiredTransition?.migrate === true && a.spec.jobType === 'service');
  const missing = moved.filter(({ spec }) => {
    const { job, running } = jobs.get(spec.jobUID)!;
    const group = job?.spec.groups?.find((g) => g.name === spec.group);
    if (job === undefined || job.spec.stop === true || isDeleted(job)) return false;
    if (group === undefined || spec.index >= (group.count ?? 1)) return false;
    return !running.some((a) => a.spec.name === spec.name && a.spec.nodeName !== spec.nodeName && isHealthy(a, group));
  });
  return [...new Set(missing.map(({ spec }) => spec.name))].sort();
}

/** What holds the drain up, in a sentence with the command that tells more; undefined: nothing but time. */
function reasonToWait(
  { allocations }: Observed,
  moving: readonly Stored<Allocation>[],
  unhealthy: readonly string[],
): string | undefined {
  if (unhealthy.length > 0) {
    const job = allocations.find(({ spec }) => spec.name === unhealthy[0])!.spec.jobName;
    return `the ${unhealthy.length === 1 ? 'replacement' : 'replacements'} of ${unhealthy.join(', ')} to be healthy (orchctl job status ${job})`;
  }
  const batch = moving.filter((a) => isBatch(a.spec.jobType) && !isTerminal(a));
  if (batch.length > 0 && batch.length === moving.filter((a) => a.spec.jobType !== 'system').length)
    return `${batch.length} batch allocations to finish`;
  return undefined;
}

function migrationsOf({ node }: Observed, chosen: readonly Stored<Allocation>[]): Migration[] {
  const byJob = new Map<string, Stored<Allocation>[]>();
  for (const a of chosen) byJob.set(a.spec.jobUID, [...(byJob.get(a.spec.jobUID) ?? []), a]);
  return [...byJob.values()].flatMap((own) => {
    const migrations: Migration[] = [];
    for (let at = 0; at < own.length; at += TRANSACTION - 1) {
      const allocations = own.slice(at, at + TRANSACTION - 1);
      const names = allocations.map((a) => a.metadata.name).sort();
      const name = derivedUuid(node.metadata.uid, 'node-drain', ...names);
      migrations.push({
        allocations,
        evaluation: newEvaluation(name, jobRefOfAllocation(own[0]!), 'node-drain', { nodeName: node.metadata.name }),
      });
    }
    return migrations;
  });
}
