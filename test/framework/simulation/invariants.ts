import type { Revision, StoreEvent } from '../../../apiserver/storage/store.ts';
import { parseTimestamp, type Instant } from '../../../base/index.ts';
import type { Allocation, AnyObject, Deployment, Job, JobVersion, Lease, Node, Stored } from '../../../openapi/index.ts';

/** Something that must never be, seen at a revision of the store. */
export interface Violation {
  /** A number of the safety properties below. */
  readonly invariant: string;
  readonly revision: Revision;
  readonly at: Instant;
  readonly message: string;
}

type Change<T extends AnyObject> = { readonly before: Stored<T> | undefined; readonly after: Stored<T> | undefined };

const PREFIX = '/registry/orch.dev/';
const LEASES = '/registry/coordination.k8s.io/leases/';

/**
 * Watches every revision of the store from outside and says what breaks a safety property:
 *
 * - capacity: what allocations on a node hold until they have ended never exceeds what it has, nor does what runs there; a port belongs to one of
 *   them. One that is told to stop leaves its room, and its ports, to the one that replaces or displaces it and starts after it
 * - single: at most one allocation is wanted running for a job, group and index (canaries and those on the move aside)
 * - rollout: no transaction destroys more of the old version than max_parallel allows beside what is not yet healthy; canaries ≤ canary; those
 *   that were started beside their predecessors ≤ max_surge
 * - drain: no more of a group is told to move at a time than migrate.max_parallel
 * - history: the job of a JobVersion never changes; its numbers have no gaps
 * - launch: a child of a periodic job, whose name is its time, is created once
 * - fence: nothing that a leader wrote came after the end of its Lease
 */
export class Invariants {
  readonly violations: Violation[] = [];
  readonly allocations = new Map<string, Stored<Allocation>>();
  readonly nodes = new Map<string, Stored<Node>>();
  readonly #jobs = new Map<string, Stored<Job>>();
  readonly #versions = new Map<string, Stored<JobVersion>>();
  /** Children of periodic jobs that there have been. */
  readonly #launched = new Set<string>();
  readonly #deployments = new Map<string, Stored<Deployment>>();
  readonly #byNode = new Map<string, Map<string, Stored<Allocation>>>();
  /** The revision at which the Lease of a uid ended; absent while it lives. */
  readonly #leaseEnds = new Map<string, Revision>();
  /** Allocations that were given up: where one runs on, its node lets nobody in that does not fit beside it. */
  readonly #lost = new Set<string>();
  #revision: Revision = 0;
  readonly #now: () => Instant;

  constructor(now: () => Instant) {
    this.#now = now;
  }

  readonly observe = (revision: Revision, events: readonly StoreEvent[]): void => {
    this.#revision = revision;
    const allocations: Change<Allocation>[] = [];
    const nodes = new Set<string>();
    for (const event of events) {
      const key = event.type === 'put' ? event.kv.key : event.key;
      if (key.startsWith(LEASES)) {
        if (event.type === 'delete' && event.previous !== undefined)
          this.#leaseEnds.set(read<Lease>(event.previous.value).metadata.uid, revision);
        continue;
      }
      if (!key.startsWith(PREFIX)) continue;
      const plural = key.slice(PREFIX.length, key.indexOf('/', PREFIX.length));
      switch (plural) {
        case 'allocations': {
          const change = replace(this.allocations, key, event);
          allocations.push(change);
          this.#index(key, change);
          break;
        }
        case 'nodes': {
          const { after } = replace(this.nodes, key, event);
          if (after !== undefined) nodes.add(after.metadata.name);
          break;
        }
        case 'jobs':
          this.#launches(revision, replace(this.#jobs, key, event));
          break;
        case 'jobversions':
          this.#history(revision, replace(this.#versions, key, event));
          break;
        case 'deployments':
          replace(this.#deployments, key, event);
          break;
        default:
      }
    }
    for (const { after } of allocations) if (after !== undefined) nodes.add(after.spec.nodeName);
    if (allocations.length === 0) return;
    for (const node of nodes) this.#capacity(revision, node);
    this.#single(revision, allocations);
    this.#rollout(revision, allocations);
    this.#drain(revision, allocations);
  };

  /** A leader's write was accepted at a revision. */
  fenced(uid: string, revision: Revision): void {
    const end = this.#leaseEnds.get(uid);
    // What changed nothing answers with an older revision.
    if (end !== undefined && revision > end) {
      this.#say('fence', revision, `a write at revision ${revision} is fenced by Lease ${uid}, which ended at ${end}`);
    }
  }

  /** What runs on a machine does not fit into it. */
  crowded(message: string): void {
    this.#say('capacity', this.#revision, message);
  }

  /** A check failed itself. */
  fellOver(error: unknown): void {
    this.#say('check', this.#revision, error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  #say(invariant: string, revision: Revision, message: string): void {
    this.violations.push({ invariant, revision, at: this.#now(), message });
  }

  #index(key: string, { before, after }: Change<Allocation>): void {
    if (before !== undefined) this.#byNode.get(before.spec.nodeName)?.delete(key);
    if (after === undefined) return;
    const own = this.#byNode.get(after.spec.nodeName) ?? new Map<string, Stored<Allocation>>();
    this.#byNode.set(after.spec.nodeName, own.set(key, after));
    if (after.status?.phase === 'lost') this.#lost.add(after.metadata.uid);
  }

  #capacity(revision: Revision, name: string): void {
    const node = this.nodes.get(`${PREFIX}nodes/${name}`);
    const { resources, reserved } = node?.status ?? {};
    if (node === undefined || resources === undefined) return;
    let cpu = 0;
    let memory = 0;
    const here = new Map([...(this.#byNode.get(name)?.values() ?? [])].map((a) => [a.metadata.name, a]));
    const holds = ({ metadata, status }: Stored<Allocation>): boolean => !isEnded(status?.phase) && !this.#lost.has(metadata.uid);
    const heirs = new Map([...here.values()].map((a) => [a.metadata.name, here.get(heirOf(a) ?? '')]));
    const leaving = new Map<string, Stored<Allocation>[]>();
    for (const a of here.values()) {
      const heir = heirs.get(a.metadata.name)?.metadata.name;
      if (heir !== undefined) leaving.set(heir, [...(leaving.get(heir) ?? []), a]);
    }
    const room = (a: Stored<Allocation>, of: 'cpu' | 'memory'): number => {
      const own = holds(a) ? (a.spec.resources?.[of] ?? 0) : 0;
      return Math.max(own, leaving.get(a.metadata.name)?.reduce((sum, b) => sum + room(b, of), 0) ?? 0);
    };
    for (const allocation of here.values()) {
      if (heirs.get(allocation.metadata.name) !== undefined) continue;
      cpu += room(allocation, 'cpu');
      memory += room(allocation, 'memory');
    }
    const leads = (a: Stored<Allocation> | undefined, b: Stored<Allocation>): boolean =>
      a !== undefined && (a === b || leads(heirs.get(a.metadata.name), b));
    const ports = new Map<string, Stored<Allocation>[]>();
    for (const allocation of here.values()) {
      if (!holds(allocation)) continue;
      for (const { hostIP, value } of allocation.spec.resources?.ports ?? []) {
        const port = `${hostIP ?? ''}:${value}`;
        const others = ports.get(port) ?? [];
        const other = others.find((one) => !leads(one, allocation) && !leads(allocation, one));
        if (other !== undefined)
          this.#say('capacity', revision, `port ${port} of ${node.spec.name} is held by ${label(other)} and ${label(allocation)}`); // prettier-ignore
        ports.set(port, [...others, allocation]);
      }
    }
    const mhz = (resources.cpuMHz ?? 0) - (reserved?.cpuMHz ?? 0);
    const mb = (resources.memoryMB ?? 0) - (reserved?.memoryMB ?? 0);
    if (cpu > mhz) this.#say('capacity', revision, `${node.spec.name} has ${mhz} MHz, ${cpu} are held`);
    if (memory > mb) this.#say('capacity', revision, `${node.spec.name} has ${mb} MB, ${memory} are held`);
  }

  #single(revision: Revision, changes: readonly Change<Allocation>[]): void {
    const touched = new Set(changes.flatMap(({ after }) => (after === undefined || !isLive(after) ? [] : [slot(after)])));
    if (touched.size === 0) return;
    const found = new Map<string, Stored<Allocation>>();
    for (const allocation of this.allocations.values()) {
      if (!isLive(allocation) || isSystem(allocation) || !touched.has(slot(allocation))) continue;
      if (allocation.spec.surge === true) continue;
      if (allocation.spec.canary === true || allocation.spec.desiredTransition?.migrate === true) continue;
      // Where nobody knows how it is, a replacement may run beside it until its node is back.
      if (allocation.status?.phase === 'unknown') continue;
      const other = found.get(slot(allocation));
      if (other !== undefined && !this.#isReunion(other, allocation))
        this.#say('single', revision, `${label(other)} and ${label(allocation)} are both wanted`);
      found.set(slot(allocation), allocation);
    }
  }

  /** A node is back, and whether the original or its replacement stays is about to be decided. */
  #isReunion(a: Stored<Allocation>, b: Stored<Allocation>): boolean {
    const related = a.spec.nextAllocation !== undefined || b.spec.nextAllocation !== undefined;
    const version = [...this.#versions.values()].find(
      ({ spec }) => spec.jobUID === a.spec.jobUID && spec.version === a.spec.jobVersion,
    );
    return related && version?.spec.job.groups?.find(({ name }) => name === a.spec.group)?.disconnect !== undefined;
  }

  /** Old allocations that run and are stopped in the same transaction that puts another version in their place. */
  #rollout(revision: Revision, changes: readonly Change<Allocation>[]): void {
    const destroyed = new Map<string, { job: string; group: string; deployment: string; count: number; made: Set<string> }>();
    const made = changes.filter(({ before, after }) => before === undefined && after !== undefined).map(({ after }) => after!);
    for (const { before, after } of changes) {
      if (before === undefined || after === undefined || isSystem(after)) continue;
      if (!isLive(before) || before.status?.phase !== 'running' || after.spec.desired !== 'stop') continue;
      if (after.status?.phase === 'lost') continue;
      if (before.spec.canary === true || before.spec.desiredTransition?.migrate === true) continue;
      const successor = made.find(
        (a) => a.spec.previousAllocation === after.metadata.name && a.spec.jobVersion !== after.spec.jobVersion,
      );
      const deployment = successor?.spec.deployment;
      if (successor === undefined || deployment === undefined) continue;
      const { jobUID, group } = successor.spec;
      const known = destroyed.get(`${jobUID} ${group}`) ?? { job: jobUID, group, deployment, count: 0, made: new Set<string>() };
      known.count++;
      known.made.add(successor.metadata.name);
      destroyed.set(`${jobUID} ${group}`, known);
    }
    const joined = new Set(
      changes
        .filter(({ before, after }) => before?.spec.deployment !== after?.spec.deployment)
        .map(({ after }) => after?.metadata.name),
    );
    for (const { job, group, deployment, count, made: now } of destroyed.values()) {
      const update = this.#group(job, deployment, group)?.update;
      if (update?.maxParallel === undefined || update.maxParallel === 0) continue;
      const seen = [...this.allocations.values()].filter((a) => !isReplacedUnseen(a));
      const underWay = seen.filter(
        ({ spec, status, metadata }) =>
          spec.jobUID === job &&
          spec.group === group &&
          spec.deployment === deployment &&
          spec.desired === 'run' &&
          !isEnded(status?.phase) &&
          status?.deploymentHealth?.healthy !== true &&
          // Out of sight, and replaced: that one counts.
          !(status?.phase === 'unknown' && spec.nextAllocation !== undefined) &&
          // What was updated in place runs on, whatever its new version is thought of.
          !joined.has(metadata.name) &&
          !now.has(metadata.name) &&
          !made.some((a) => a.metadata.name === metadata.name),
      ).length;
      if (count > 0 && count + underWay > update.maxParallel)
        this.#say('rollout', revision, `${count} of group ${group} are replaced while ${underWay} are not healthy yet; max_parallel is ${update.maxParallel}`); // prettier-ignore
    }
    for (const allocation of made) {
      const { surge, canary, deployment, jobUID, group } = allocation.spec;
      if (surge === true && deployment !== undefined) {
        const wanted = this.#group(jobUID, deployment, group)?.update?.maxSurge ?? 0;
        const have = [...this.allocations.values()].filter(
          (a) =>
            a.spec.deployment === deployment &&
            a.spec.group === group &&
            a.spec.surge === true &&
            isLive(a) &&
            !isReplacedUnseen(a),
        ).length;
        if (have > wanted) this.#say('rollout', revision, `${have} of group ${group} run beside others; max_surge is ${wanted}`);
      }
      if (canary !== true || deployment === undefined) continue;
      const wanted = this.#group(jobUID, deployment, group)?.update?.canary ?? 0;
      const have = [...this.allocations.values()].filter(
        (a) =>
          a.spec.deployment === deployment &&
          a.spec.group === group &&
          a.spec.canary === true &&
          isLive(a) &&
          a.status?.phase !== 'unknown',
      ).length;
      if (have > wanted) this.#say('rollout', revision, `group ${group} has ${have} canaries; canary is ${wanted}`);
    }
  }

  #group(jobUID: string, deployment: string, group: string) {
    const of = [...this.#deployments.values()].find(({ metadata }) => metadata.name === deployment);
    if (of === undefined) return undefined;
    const version = [...this.#versions.values()].find(
      ({ spec }) => spec.jobUID === jobUID && spec.version === of.spec.jobVersion,
    );
    return version?.spec.job.groups?.find(({ name }) => name === group);
  }

  #drain(revision: Revision, changes: readonly Change<Allocation>[]): void {
    const groups = new Set<string>();
    for (const { before, after } of changes) {
      if (after?.spec.desiredTransition?.migrate !== true || before?.spec.desiredTransition?.migrate === true) continue;
      const drain = this.nodes.get(`${PREFIX}nodes/${after.spec.nodeName}`)?.spec.drain;
      // Asked for by a user, or because the time of the drain is over.
      if (drain === undefined || isOver(drain, this.#now())) continue;
      if (after.spec.jobType === 'service') groups.add(`${after.spec.jobUID} ${after.spec.group}`);
    }
    for (const key of groups) {
      const moving = [...this.allocations.values()].filter(
        (a) => `${a.spec.jobUID} ${a.spec.group}` === key && isLive(a) && a.spec.desiredTransition?.migrate === true,
      );
      const job = [...this.#jobs.values()].find(({ metadata }) => metadata.uid === moving[0]?.spec.jobUID);
      const limit = job?.spec.groups?.find(({ name }) => name === moving[0]?.spec.group)?.migrate?.maxParallel ?? 1;
      if (moving.length > limit) this.#say('drain', revision, `${moving.map(label).join(', ')} move at a time; migrate.max_parallel is ${limit}`); // prettier-ignore
    }
  }

  #launches(revision: Revision, { before, after }: Change<Job>): void {
    if (before !== undefined || after?.spec.parentID === undefined) return;
    const { name } = after.metadata;
    if (this.#launched.has(name)) this.#say('launch', revision, `${name} was launched twice`);
    this.#launched.add(name);
  }

  #history(revision: Revision, { before, after }: Change<JobVersion>): void {
    if (after === undefined) return;
    const { version, jobUID, jobName } = after.spec;
    if (before !== undefined && JSON.stringify(before.spec.job) !== JSON.stringify(after.spec.job))
      this.#say('history', revision, `version ${version} of job ${jobName} was changed`);
    if (before === undefined && version > 0) {
      const others = [...this.#versions.values()].filter(({ spec }) => spec.jobUID === jobUID).map(({ spec }) => spec.version);
      if (!others.includes(version - 1))
        this.#say('history', revision, `job ${jobName} has version ${version} but not ${version - 1}`);
    }
  }
}

function read<T extends AnyObject>(value: Buffer): Stored<T> {
  return JSON.parse(value.toString('utf8')) as Stored<T>;
}

function replace<T extends AnyObject>(map: Map<string, Stored<T>>, key: string, event: StoreEvent): Change<T> {
  const before = map.get(key);
  if (event.type === 'delete') {
    map.delete(key);
    return { before, after: undefined };
  }
  const after = read<T>(event.kv.value);
  map.set(key, after);
  return { before, after };
}

const isEnded = (phase: string | undefined): boolean => phase === 'complete' || phase === 'failed' || phase === 'lost';

/** Wanted, and as far as anybody knows not at its end. */
const isLive = ({ spec, status, metadata }: Stored<Allocation>): boolean =>
  spec.desired === 'run' && !isEnded(status?.phase) && metadata.deletionTimestamp === undefined;

/** Whom what is told to stop leaves its room to. */
const heirOf = ({ spec }: Stored<Allocation>): string | undefined =>
  spec.desired === 'run' ? undefined : (spec.preemptedByAllocation ?? spec.nextAllocation);

/** On a node that is cut off; another one stands in for it until that is back, and is counted in its place. */
const isReplacedUnseen = ({ spec, status }: Stored<Allocation>): boolean =>
  status?.phase === 'unknown' && spec.nextAllocation !== undefined;

const isSystem = ({ spec }: Stored<Allocation>): boolean => spec.jobType === 'system' || spec.jobType === 'sysbatch';
const slot = ({ spec }: Stored<Allocation>): string => `${spec.jobUID} ${spec.group} ${spec.index}`;
const label = ({ metadata, spec }: Stored<Allocation>): string =>
  `${spec.name} (${metadata.name.slice(0, 8)}, version ${spec.jobVersion})`;

function isOver({ deadline, startedAt }: { deadline?: string; startedAt?: string }, now: Instant): boolean {
  if (deadline === undefined || deadline === '' || deadline === '0s') return false;
  if (deadline.startsWith('-')) return true;
  const seconds = /^(\d+)s$/.exec(deadline)?.[1];
  return now >= (parseTimestamp(startedAt) ?? now) + Number(seconds ?? 3600) * 1000;
}
