import { parseTimestamp } from '../../base/index.ts';
import { AllocationKind, EvaluationKind, NodeKind, type Allocation, type Stored } from '../../openapi/index.ts';
import type { ClusterContext } from '../command.ts';
import { CommandError, Interrupted } from '../errors.ts';
import { say } from '../io/streams.ts';
import { localTime } from '../io/time.ts';
import { clientStatus, jobIdOf } from '../views/lists.ts';
import { failedGroup, placementReasons } from '../views/metrics.ts';
import { by } from '../views/view.ts';
import { watchAll, watchOne } from '../watch.ts';

/** Follows a drain line by line until the node says that it is over. Ctrl-C stops the following, not the drain. */
export function monitorDrain(context: ClusterContext, node: string): Promise<number> {
  return context.interruptible(async (signal) => {
    const stop = new AbortController();
    signal.addEventListener('abort', () => stop.abort(), { once: true, signal: stop.signal });
    const tell = (text: string): void => say(context, `${localTime(context.clock.now())}: ${text}`);
    const seen = new Map<string, Stored<Allocation>>();
    try {
      const following = followAllocations(context, node, seen, tell, stop.signal);
      const blocked = followEvaluations(context, node, tell, stop.signal);
      const ended = await Promise.race([
        followNode(context, node, tell, stop.signal),
        Promise.all([following, blocked]).then(() => undefined),
      ]);
      if (signal.aborted) throw new Interrupted('\nStopped watching; the drain goes on.');
      const running = [...seen.values()].filter((one) => !isTerminal(one)).length;
      if (ended === 'complete') {
        tell(
          running === 0
            ? `All allocations on node "${node}" have stopped`
            : `${running} allocations of system jobs were left on node "${node}"`,
        );
        tell(`Drain complete for node "${node}"`);
      }
      return ended === 'complete' ? 0 : 1;
    } finally {
      stop.abort();
    }
  });
}

/** Until the drain is over: complete, or cancelled by somebody. */
async function followNode(
  { client, clock }: ClusterContext,
  name: string,
  tell: (text: string) => void,
  signal: AbortSignal,
): Promise<'complete' | 'cancelled' | undefined> {
  let strategy: string | undefined;
  let down = false;
  let waitedFor: string | undefined;
  for await (const node of watchOne(client, NodeKind, name, undefined, { clock, signal })) {
    if (node === undefined) throw new CommandError(`Node "${name}" was removed while it was drained`);
    if (node.status?.phase === 'down' && !down) tell(`Node "${name}" is down; what ran there is replaced`);
    down = node.status?.phase === 'down';
    if (node.spec.drain === undefined) {
      if (node.status?.drain?.phase === 'cancelled') {
        tell(`Drain of node "${name}" was cancelled`);
        return 'cancelled';
      }
      return 'complete';
    }
    const waitsFor = node.status?.drain?.waitingFor;
    if (waitsFor !== undefined && waitsFor !== waitedFor) tell(`Drain of node "${name}" waits for ${waitsFor}`);
    waitedFor = waitsFor;
    const now = JSON.stringify({ ...node.spec.drain, startedAt: undefined });
    if (strategy !== undefined && strategy !== now) tell(`Node "${name}" drain updated: ${drainWords(node.spec.drain)}`);
    strategy = now;
  }
  return undefined;
}

/** Says why what is moved has no place elsewhere: it is stopped all the same, and placed again when there is room. */
async function followEvaluations(
  { client, clock, program }: ClusterContext,
  node: string,
  tell: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { spec } = await client.get(NodeKind, node);
  // Times of creation are in whole seconds.
  const began = Math.floor((parseTimestamp(spec.drain?.startedAt) ?? 0) / 1000) * 1000;
  const told = new Set<string>();
  for await (const { type, object } of watchAll(client, EvaluationKind, {}, { clock, signal })) {
    const { metadata, spec, status } = object;
    if (type === 'DELETED' || spec.trigger !== 'node-drain' || spec.nodeName !== node || told.has(metadata.name)) continue;
    if ((parseTimestamp(metadata.creationTimestamp) ?? 0) < began) continue;
    const failed = Object.entries(status?.failedPlacements ?? {}).sort(by(([group]) => group));
    if (failed.length === 0) continue;
    told.add(metadata.name);
    const job = jobIdOf(spec.jobName);
    const reasons = failed.map(([group, metric]) =>
      [failedGroup(group, metric), ...placementReasons(metric).map((reason) => `    ${reason}`)].join('\n'),
    );
    tell(
      `Job "${job}" has no other place for what is moved: it stops here, and starts again where there is room (${program} job status ${job})\n${reasons.join('\n')}`,
    );
  }
}

const drainWords = ({ deadline = '0s', ignoreSystemJobs }: { deadline?: string; ignoreSystemJobs?: boolean }): string =>
  (deadline.startsWith('-') ? 'at once' : deadline === '0s' ? 'no deadline' : `deadline ${deadline}`) +
  (ignoreSystemJobs === true ? ', system jobs stay' : '');

const isTerminal = (allocation: Stored<Allocation>): boolean => ['complete', 'failed', 'lost'].includes(clientStatus(allocation));

async function followAllocations(
  { client, clock }: ClusterContext,
  node: string,
  seen: Map<string, Stored<Allocation>>,
  tell: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const selection = { fieldSelector: `spec.nodeName=${node}` };
  for await (const { type, object: now } of watchAll(client, AllocationKind, selection, { clock, signal })) {
    const { name } = now.metadata;
    if (type === 'DELETED') {
      seen.delete(name);
      continue;
    }
    const before = seen.get(name);
    seen.set(name, now);
    if (isTerminal(before ?? now)) continue;
    const migrates = (one: Stored<Allocation> | undefined): boolean => one?.spec.desiredTransition?.migrate === true;
    if (migrates(now) && !migrates(before)) tell(`Alloc "${name}" marked for migration`);
    if (now.spec.desired !== 'run' && before?.spec.desired !== now.spec.desired) tell(`Alloc "${name}" draining`);
    if (before !== undefined && clientStatus(before) !== clientStatus(now))
      tell(`Alloc "${name}" status ${clientStatus(before)} -> ${clientStatus(now)}`);
  }
}
