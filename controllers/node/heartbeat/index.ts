/**
 * A Node's agent keeps a Lease alive. This controller
 *
 * 1. says whether the node is heard: ready while there is a Lease, down when it is missed for longer than the grace, and in between
 *    disconnected as long as a group of its allocations has `lost_after` left;
 * 2. asks the scheduler to replace what ran on a node that is down or gone: an Evaluation for each job, which lists the
 *    allocations that it was made for, so that each is answered once however late it shows up;
 * 3. tells system jobs of nodes that can take them. The condition `JobsNotified` holds the state of the node that they were told
 *    of, so that a crash in between loses nothing.
 *
 * When most nodes fall silent at once, it is rather the network or this side that is at fault than they: then they are waited for
 * a good while longer, and each says so.
 *
 * A Lease may be missing because the servers were away rather than the node. So the grace is counted anew from when this
 * controller began to lead and from when it could see Leases again, by this process's clock alone.
 */
import type { Duration, Instant } from '../../../base/index.ts';
import { AllocationKind, EvaluationKind, JobKind, LeaseKind, NodeKind } from '../../../openapi/index.ts';
import { allocationsByNode, evaluationsByNode, jobsByUid } from '../../objects/index.ts';
import { defineController, lookUp, settledOrWake, watch, type Controller, type Reader } from '../../runtime/index.ts';
import { apply } from './apply.ts';
import { decide } from './decide.ts';
import { observe } from './observe.ts';

export const NODE_LEASE_NAMESPACE = 'orch-node-lease';

export interface HeartbeatConfig {
  /** How long a node may be without its Lease before it is down. Default 10 s. */
  readonly heartbeatGrace: Duration;
  /** When more than this share of the nodes falls silent at once, none of them is given up before `massLossHold`. Default 0.5. */
  readonly massLossShare: number;
  /** That many nodes must be silent for that. Default 3. */
  readonly massLossNodes: number;
  /** How long a node that fell silent with so many others is waited for. Default 5 minutes. */
  readonly massLossHold: Duration;
  /** What agents need at most to put their Lease back after the servers were away. Default 20 s. */
  readonly heartbeatTtl: Duration;
}

export const defaultHeartbeatConfig: HeartbeatConfig = {
  heartbeatGrace: 10_000,
  heartbeatTtl: 20_000,
  massLossShare: 0.5,
  massLossNodes: 3,
  massLossHold: 5 * 60_000,
};

export interface HeartbeatMemory {
  readonly startedAt: Instant;
  /** By node: since when its Lease is missed. */
  readonly missedSince: Map<string, Instant>;
}

export function heartbeatController(now: () => Instant, config: HeartbeatConfig = defaultHeartbeatConfig): Controller {
  return defineController({
    name: 'heartbeat',
    primary: NodeKind,
    reads: [
      watch(LeaseKind, ({ metadata }) => (metadata.namespace === NODE_LEASE_NAMESPACE ? [metadata.name] : [])),
      // Of allocations only those count that run where nothing can run.
      watch(AllocationKind, ({ spec }, read) => (isHeard(spec.nodeName, read) ? [] : [spec.nodeName]), { delay: 20 }),
      lookUp(JobKind),
    ],
    writes: [NodeKind, EvaluationKind],
    indexes: [allocationsByNode, evaluationsByNode, jobsByUid],
    memory: (): HeartbeatMemory => ({ startedAt: now(), missedSince: new Map() }),

    async reconcile(key, context) {
      const { read, clock, memory } = context;
      const observed = observe(key, read, memory, config, clock.now());
      const plan = decide(observed, clock.now());
      await apply(observed, plan, context);
      return settledOrWake(plan.wakeAt);
    },
  });
}

function isHeard(name: string, read: Reader): boolean {
  const phase = read.get(NodeKind, name)?.status?.phase;
  return phase === 'ready' || phase === 'initializing';
}
