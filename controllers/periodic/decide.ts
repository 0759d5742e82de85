import { parseTimestamp, toTimestamp, type Instant } from '../../base/index.ts';
import { childJob, launchId, type Job, type PeriodicLaunches, type Stored } from '../../openapi/index.ts';
import { launchesBetween, nextLaunch } from '../../openapi/launch/schedule.ts';
import type { PeriodicConfig } from './index.ts';
import type { Observed } from './observe.ts';

export interface Plan {
  /** In one transaction with the status; the first one only, the others follow when it is seen. */
  readonly launch?: Job;
  readonly status: PeriodicLaunches;
  /** Finished children that are kept no longer. */
  readonly remove: readonly Stored<Job>[];
  readonly because: string;
  readonly wakeAt?: Instant;
}

/** Of a long break no more launches than this are looked at. */
const MOST = 1000;
/** Timers are set no further ahead, so that a clock that is put forward is noticed. */
const LOOK_AGAIN = 3600_000;

/** What is to be launched now. Pure: the same input gives the same plan. */
export function decide({ job, children }: Observed, config: PeriodicConfig, now: Instant): Plan {
  const periodic = job.spec.periodic!;
  const remove = surplus(children, periodic.historyLimit);
  const { nextLaunch: _, ...known } = job.status?.periodic ?? {};
  if (job.spec.stop === true || periodic.enabled === false)
    return { status: known, remove, because: job.spec.stop === true ? 'the job is stopped' : 'its schedule is disabled' };

  const since = startOf(job, now);
  const due = launchesBetween(periodic, since, now, MOST);
  const recent = due.filter((at) => at > now - config.catchUp);
  const at = recent[0] ?? due.at(-1);
  const next = nextLaunch(periodic, at ?? now);
  const status: PeriodicLaunches = { ...known, ...(next !== undefined && { nextLaunch: toTimestamp(next) }) };
  const wakeAt = next === undefined ? {} : { wakeAt: Math.min(next, now + LOOK_AGAIN) };
  // What is counted from is written down at once: a later leader must not count from another instant.
  if (at === undefined)
    return { status: { lastLaunch: toTimestamp(since), ...status }, remove, because: 'nothing is due', ...wakeAt };

  const launched: PeriodicLaunches = { ...status, lastLaunch: toTimestamp(at) };
  const id = launchId(job, at);
  const name = id.replaceAll('/', ':');
  if (children.some(({ metadata }) => metadata.name === name))
    return { status: launched, remove, because: 'it was launched already', ...wakeAt };
  const running = children.find((child) => child.status?.phase !== 'dead');
  if (periodic.prohibitOverlap === true && running !== undefined) {
    const passed = { ...launched, lastSkipped: toTimestamp(at) };
    return { status: passed, remove, because: `${running.spec.id ?? running.metadata.name} still runs`, ...wakeAt };
  }
  const child = { lastChild: name };
  return { launch: childJob(job, id), status: { ...launched, ...child }, remove, because: `due at ${toTimestamp(at)}`, ...wakeAt }; // prettier-ignore
}

/** Launches after this instant are due. A changed schedule counts from its submission. */
function startOf({ metadata, status }: Stored<Job>, now: Instant): Instant {
  const last = parseTimestamp(status?.periodic?.lastLaunch);
  const submitted = parseTimestamp(status?.submittedAt) ?? parseTimestamp(metadata.creationTimestamp) ?? now;
  return Math.max(last ?? 0, Math.min(submitted, now));
}

function surplus(children: readonly Stored<Job>[], limit: number | undefined): Stored<Job>[] {
  if (limit === undefined) return [];
  const finished = children.filter((child) => child.status?.phase === 'dead');
  return finished.sort((a, b) => launchOf(b) - launchOf(a)).slice(limit);
}

const launchOf = ({ metadata }: Stored<Job>): number => Number(/periodic-(\d+)$/.exec(metadata.name)?.[1] ?? 0);
