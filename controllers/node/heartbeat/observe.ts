import { durationOr, type Duration, type Instant } from '../../../base/index.ts';
import { objectKey } from '../../../client/index.ts';
import { JobKind, LeaseKind, NodeKind, type Allocation, type Job, type Node, type Stored } from '../../../openapi/index.ts';
import {
  allocationsByNode,
  allocationsOf,
  evaluationsByNode,
  isDeleted,
  isSystem,
  isTerminal,
  jobsByUid,
} from '../../objects/index.ts';
import type { Reader } from '../../runtime/index.ts';
import { NODE_LEASE_NAMESPACE, type HeartbeatConfig, type HeartbeatMemory } from './index.ts';

/** Heard, or missed and to be given up at `giveUpAt`. */
export type Heartbeat =
  | { readonly state: 'heard' }
  | {
      readonly state: 'missed';
      readonly giveUpAt: Instant;
      /** It fell silent with so many others that it is waited for longer than usual. */
      readonly brake?: { readonly silent: number; readonly nodes: number; readonly since: Instant };
    };

export interface Observed {
  readonly name: string;
  /** Absent when the node was removed. */
  readonly node?: Stored<Node>;
  readonly heartbeat: Heartbeat;
  /** Everything bound to it. */
  readonly allocations: readonly Stored<Allocation>[];
  /** Allocations on it that an Evaluation was made for already. */
  readonly answered: ReadonlySet<string>;
  /** How long, since it fell silent, some of its allocations count as unknown rather than lost; 0: none does. */
  readonly grace: Duration;
  /** System jobs that are not stopped. */
  readonly systemJobs: readonly Stored<Job>[];
}

export function observe(name: string, read: Reader, memory: HeartbeatMemory, config: HeartbeatConfig, now: Instant): Observed {
  const node = read.get(NodeKind, name);
  const allocations = read.by(allocationsByNode, name);
  return {
    name,
    ...(node !== undefined && { node }),
    heartbeat: heartbeatOf(name, read, memory, config, now),
    allocations,
    grace: graceOf(allocations, read),
    answered: new Set(read.by(evaluationsByNode, name).flatMap(allocationsOf)),
    systemJobs: read.list(JobKind).filter((job) => isSystem(job.spec.type) && job.spec.stop !== true && !isDeleted(job)),
  };
}

function graceOf(allocations: readonly Stored<Allocation>[], read: Reader): Duration {
  let grace = 0;
  const seen = new Set<string>();
  for (const allocation of allocations) {
    const { jobUID, group: name } = allocation.spec;
    if (isTerminal(allocation) || seen.has(`${jobUID}/${name}`)) continue;
    seen.add(`${jobUID}/${name}`);
    const group = read.by(jobsByUid, jobUID)[0]?.spec.groups?.find((one) => one.name === name);
    grace = Math.max(grace, durationOr(group?.disconnect?.lostAfter ?? group?.maxClientDisconnect, 0));
  }
  return grace;
}

function heartbeatOf(name: string, read: Reader, memory: HeartbeatMemory, config: HeartbeatConfig, now: Instant): Heartbeat {
  const lease = read.get(LeaseKind, objectKey(name, NODE_LEASE_NAMESPACE));
  if (lease !== undefined) {
    memory.missedSince.delete(name);
    return { state: 'heard' };
  }
  const missedSince = memory.missedSince.get(name) ?? now;
  memory.missedSince.set(name, missedSince);
  // While Leases cannot be seen nobody is given up; when they can be again, every agent first has the time to come back.
  const seeingSince = Math.max(memory.startedAt, read.followedSince(LeaseKind) ?? now);
  const giveUpAt = Math.max(missedSince, seeingSince + config.heartbeatTtl) + config.heartbeatGrace;
  const { silent, nodes } = countSilent(read, memory);
  if (silent < config.massLossNodes || silent <= nodes * config.massLossShare) return { state: 'missed', giveUpAt };
  const brake = { silent, nodes, since: giveUpAt };
  return { state: 'missed', giveUpAt: Math.max(giveUpAt, missedSince + config.massLossHold), brake };
}

/** Of the nodes that are not given up yet, how many are not heard. */
function countSilent(read: Reader, { missedSince }: HeartbeatMemory): { silent: number; nodes: number } {
  let silent = 0;
  let nodes = 0;
  for (const { metadata, status } of read.list(NodeKind)) {
    if (status?.phase !== 'ready') continue;
    nodes++;
    if (missedSince.has(metadata.name)) silent++;
  }
  return { silent, nodes };
}
