import { derivedUuid, parseTimestamp, toTimestamp, type Instant } from '../../../base/index.ts';
import type { Allocation, Evaluation, Node, NodeStatus, Stored } from '../../../openapi/index.ts';
import { clientPhase, isClientTerminal, isTerminal, jobRef, jobRefOfAllocation, newEvaluation } from '../../objects/index.ts';
import { conditionOf, withConditions } from '../../runtime/index.ts';
import { appendEvent } from '../node-events.ts';
import type { Observed } from './observe.ts';

export interface Plan {
  /** Written first: the scheduler must see the node as it is before it is asked. */
  readonly status?: NodeStatus;
  readonly evaluations: readonly Evaluation[];
  /** Written last: the jobs were told of the node in this state. */
  readonly notified?: NodeStatus;
  readonly because: string;
  readonly wakeAt?: Instant;
}

/** What is to be done for a node. Pure: the same input gives the same plan. */
export function decide(observed: Observed, now: Instant): Plan {
  const { node, heartbeat } = observed;
  if (node === undefined) return { evaluations: replaceAll(observed, observed.name), because: 'the node is gone' };
  const waits = brakeOf(observed, now);
  if (waits !== undefined) return waits;
  const next = heartbeat.state === 'heard' ? now : heartbeat.giveUpAt > now ? heartbeat.giveUpAt : downAt(observed, now);
  const wakeAt = next > now ? { wakeAt: next } : {};
  const transition = transitionOf(observed, now);
  // The Evaluations follow when this is seen: nobody decides from the old phase then.
  if (transition !== undefined)
    return { status: { ...node.status, ...transition }, evaluations: [], because: transition.description, ...wakeAt };
  if (isSilent(phaseOf(node))) {
    const evaluations = replaceAll(observed, node.metadata.uid);
    return { evaluations, ...notify(node, now), because: 'the node is not heard', ...wakeAt };
  }
  const notification = notify(node, now);
  const evaluations = notification === undefined ? [] : tellOf(observed, notification.state);
  return { evaluations, ...notification, because: 'the node can take allocations', ...wakeAt };
}

type Phase = NonNullable<NodeStatus['phase']>;

const phaseOf = ({ status }: Stored<Node>): Phase => status?.phase ?? 'initializing';

/** How soon it is looked again whether the others are back. */
const BRAKE_LOOK = 5000;

/** Says of a node that is waited for that it is, and takes that back. Undefined: there is nothing to say. */
function brakeOf({ node, heartbeat }: Observed, now: Instant): Plan | undefined {
  if (phaseOf(node!) !== 'ready') return undefined;
  const braked = heartbeat.state === 'missed' && heartbeat.brake !== undefined && heartbeat.brake.since <= now && heartbeat.giveUpAt > now; // prettier-ignore
  const said = node!.status?.description?.startsWith(WAITED_FOR) === true;
  if (!braked) {
    if (!said) return undefined;
    const description = heartbeat.state === 'heard' ? 'Node heard again' : 'Node heartbeat missed';
    return heartbeat.state === 'heard' ? { status: { ...node!.status, description }, evaluations: [], because: description } : undefined; // prettier-ignore
  }
  const { silent, nodes } = heartbeat.brake;
  const wakeAt = Math.min(heartbeat.giveUpAt, now + BRAKE_LOOK);
  if (said) return { evaluations: [], because: 'it is waited for', wakeAt };
  const description = `${WAITED_FOR}: ${silent} of ${nodes} nodes fell silent at once, so nothing is replaced before ${toTimestamp(heartbeat.giveUpAt)}`;
  const events = appendEvent(node!.status?.events, 'Cluster', description, now);
  return { status: { ...node!.status, description, events }, evaluations: [], because: description, wakeAt };
}

const WAITED_FOR = 'Node heartbeat missed, but waited for';

const isSilent = (phase: Phase): boolean => phase === 'down' || phase === 'disconnected';

type Transition = Required<Pick<NodeStatus, 'phase' | 'description' | 'phaseChangedAt' | 'events'>>;

function transitionOf(observed: Observed, now: Instant): Transition | undefined {
  const { node, heartbeat } = observed;
  const phase = phaseOf(node!);
  const to = (next: Phase, message: string): Transition => ({
    phase: next,
    description: message,
    phaseChangedAt: toTimestamp(now),
    events: appendEvent(node!.status?.events, 'Cluster', message, now),
  });
  if (heartbeat.state === 'heard') {
    if (phase === 'ready') return undefined;
    return to('ready', phase === 'initializing' ? 'Node registered' : 'Node reregistered by heartbeat');
  }
  if (phase === 'down' || heartbeat.giveUpAt > now) return undefined;
  const goes = downAt(observed, now);
  if (goes <= now) return to('down', 'Node heartbeat missed');
  return phase === 'disconnected' ? undefined : to('disconnected', 'Node disconnected');
}

/** When a node that has fallen silent is down: once none of its allocations counts as unknown any more. */
function downAt({ node, grace }: Observed, now: Instant): Instant {
  const since = phaseOf(node!) === 'disconnected' ? (parseTimestamp(node!.status?.phaseChangedAt) ?? now) : now;
  return since + grace;
}

/** One Evaluation for each job with allocations that cannot run here any more and that nobody asked about yet. */
function replaceAll({ name, allocations, answered }: Observed, identity: string): Evaluation[] {
  const open = allocations.filter((a) => !isClientTerminal(a) && clientPhase(a) !== 'unknown' && !answered.has(a.metadata.name));
  return [...groupByJob(open).values()].map((own) => {
    const names = own.map((a) => a.metadata.name).sort();
    const ref = jobRefOfAllocation(own[0]!);
    return newEvaluation(derivedUuid(identity, 'node-update', ref.uid, ...names), ref, 'node-update', { nodeName: name }, names);
  });
}

function groupByJob(allocations: readonly Stored<Allocation>[]): Map<string, Stored<Allocation>[]> {
  const found = new Map<string, Stored<Allocation>[]>();
  for (const allocation of allocations) {
    const own = found.get(allocation.spec.jobUID);
    if (own === undefined) found.set(allocation.spec.jobUID, [allocation]);
    else own.push(allocation);
  }
  return found;
}

type Reason = 'Ready' | 'Ineligible' | 'Draining' | 'Down';

interface Notification {
  readonly notified: NodeStatus;
  readonly state: string;
}

const CONDITION = 'JobsNotified';

/** What is to be remembered of the node's state, when the jobs were told of another one. */
function notify(node: Stored<Node>, now: Instant): Notification | undefined {
  const { spec, status } = node;
  const reason: Reason =
    phaseOf(node) !== 'ready'
      ? 'Down'
      : spec.drain !== undefined
        ? 'Draining'
        : spec.eligibility === 'ineligible'
          ? 'Ineligible'
          : 'Ready';
  const facts = [spec.datacenter, spec.nodePool, status?.computedClass]
    .filter((fact) => fact !== undefined && fact !== '')
    .join(' ');
  const state = reason === 'Ready' ? `ready since ${status?.phaseChangedAt ?? '?'}: ${facts}` : reason.toLowerCase();
  const known = conditionOf(status?.conditions, CONDITION);
  if (known?.reason === reason && known.message === state) return undefined;
  const conditions = withConditions(status?.conditions, [{ type: CONDITION, status: 'True', reason, message: state }], now);
  const event = eligibilityEvent(known?.reason, reason);
  return {
    state,
    notified: { ...status, conditions, ...(event && { events: appendEvent(status?.events, 'Cluster', event, now) }) },
  };
}

function eligibilityEvent(before: string | undefined, after: Reason): string | undefined {
  if (before === 'Ready' && after === 'Ineligible') return 'Node marked as ineligible for scheduling';
  if ((before === 'Ineligible' || before === 'Draining') && after === 'Ready') return 'Node marked as eligible for scheduling';
  return undefined;
}

/** System jobs want to run on every node that can take them; jobs whose allocations were out of sight want to know of them. */
function tellOf({ node, name, systemJobs, allocations }: Observed, state: string): Evaluation[] {
  if (node === undefined || !state.startsWith('ready')) return [];
  const refs = new Map(systemJobs.map((job) => [job.metadata.uid, jobRef(job)]));
  for (const a of allocations) if (wasAway(a) && !refs.has(a.spec.jobUID)) refs.set(a.spec.jobUID, jobRefOfAllocation(a));
  return [...refs.values()].map((ref) =>
    newEvaluation(
      derivedUuid(node.metadata.uid, 'node-update', ref.uid, state, node.metadata.resourceVersion),
      ref,
      'node-update',
      { nodeName: name },
    ),
  );
}

/** Nobody knew how it was, or it was replaced meanwhile. */
const wasAway = (a: Stored<Allocation>): boolean =>
  clientPhase(a) === 'unknown' || (a.spec.nextAllocation !== undefined && !isTerminal(a));
