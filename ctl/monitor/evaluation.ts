import {
  AllocationKind,
  EvaluationKind,
  JobKind,
  NodeKind,
  type Allocation,
  type Evaluation,
  type Stored,
} from '../../openapi/index.ts';
import type { ClusterContext } from '../command.ts';
import { CommandError, exitCodes, Interrupted } from '../errors.ts';
import { complain, hint } from '../io/streams.ts';
import { listAll } from '../lookup.ts';
import { jobIdOf } from '../views/lists.ts';
import { failedGroup, placementReasons } from '../views/metrics.ts';
import { by, id } from '../views/view.ts';
import { placementAdvice, reasonLines } from '../views/why.ts';
import { watchOne } from '../watch.ts';
import { followDeployment } from './deployment.ts';
import { monitorLines, type Lines } from './lines.ts';

export interface MonitorOptions {
  readonly namespace: string;
  readonly verbose: boolean;
  /** The job is being stopped: that its deployment is cancelled, or goes away with it, is no failure. */
  readonly stopping?: boolean;
}

/**
 * Follows an evaluation to its end, then the deployment that it belongs to, printing what happens line by line. Ends with 0, with
 * 2 when not everything could be placed, with 1 when the deployment failed. Ctrl-C stops the watching, nothing else.
 */
export function monitorEvaluation(context: ClusterContext, evaluation: string, options: MonitorOptions): Promise<number> {
  return context.interruptible(async (signal) => {
    const watching: Watching = { look: `eval status ${evaluation.slice(0, 8)}` };
    const code = await follow(context, evaluation, options, watching, signal);
    if (signal.aborted) throw new Interrupted(detached(context, watching));
    return code;
  });
}

/** What is being watched at the moment, as the command that shows it. */
interface Watching {
  look: string;
}

const detached = ({ program }: ClusterContext, { look }: Watching): string =>
  `\nStopped watching; the job is left alone and goes on. Look again with "${program} ${look}".`;

async function follow(
  context: ClusterContext,
  name: string,
  options: MonitorOptions,
  watching: Watching,
  signal: AbortSignal,
): Promise<number> {
  const lines = monitorLines(context);
  lines.headline(`Monitoring evaluation "${id(options, name)}"`);
  const ended = await followOne(context, name, options, lines, signal);
  if (ended === undefined) return options.stopping === true ? exitCodes.ok : exitCodes.failed;

  const failed = Object.entries(ended.status?.failedPlacements ?? {}).sort(by(([group]) => group));
  const finished = `Evaluation "${id(options, name)}" finished with status "${ended.status?.phase}"`;
  if (failed.length === 0) lines.headline(finished);
  else {
    lines.headline(`${finished} but failed to place all allocations:`);
    for (const [group, metric] of failed) {
      lines.step(failedGroup(group, metric));
      for (const reason of placementReasons(metric)) lines.detail(reason);
    }
    const blocked = ended.status?.blockedEvaluation;
    if (blocked !== undefined)
      lines.step(`Evaluation "${id(options, blocked)}" waiting for additional capacity to place remainder`);
  }
  if (ended.status?.phase === 'failed' && ended.status.description !== undefined) lines.step(ended.status.description);

  const next = ended.status?.nextEvaluation;
  if (next !== undefined && ended.status?.phase === 'failed') return follow(context, next, options, watching, signal);
  const deployment = ended.status?.deployment;
  if (failed.length > 0) {
    // Until somebody makes room, a rollout cannot end: whoever waits for this command must not wait for that.
    await adviseOnPlacement(context, ended);
    if (deployment !== undefined)
      hint(context, `Follow the deployment with: ${context.program} deployment status -monitor ${deployment.slice(0, 8)}`);
    return exitCodes.notPlaced;
  }
  if (deployment !== undefined) watching.look = `deployment status -monitor ${deployment.slice(0, 8)}`;
  const rolledOut = deployment === undefined ? exitCodes.ok : await followDeployment(context, deployment, options, lines, signal);
  if (ended.status?.phase === 'failed') return exitCodes.failed;
  return options.stopping === true ? exitCodes.ok : rolledOut;
}

/** Says what the reasons of the scheduler leave out, with a command that shows it. */
async function adviseOnPlacement(context: ClusterContext, { metadata, spec, status }: Stored<Evaluation>): Promise<void> {
  const [job, nodes] = await Promise.all([
    context.client.find(JobKind, spec.jobName, metadata.namespace),
    listAll(context, NodeKind),
  ]);
  const reasons = placementAdvice(job, status?.failedPlacements ?? {}, nodes);
  for (const line of reasonLines(reasons, context.program)) hint(context, line);
}

/** Until the evaluation has ended; undefined when the signal aborted. */
async function followOne(
  context: ClusterContext,
  name: string,
  options: MonitorOptions,
  lines: Lines,
  signal: AbortSignal,
): Promise<Stored<Evaluation> | undefined> {
  const { client, clock } = context;
  const waiting = clock.after(10_000, () =>
    complain(
      context,
      `    Nothing has taken the evaluation up for 10s. Is a scheduler running? ("${context.program} scheduler")`,
    ),
  );
  let before: Stored<Evaluation> | undefined;
  const known = new Set<string>();
  try {
    for await (const now of watchOne(client, EvaluationKind, name, options.namespace, { clock, signal, mayComeLater: true })) {
      if (now === undefined && options.stopping === true) return undefined;
      if (now === undefined) throw new CommandError(`Evaluation "${id(options, name)}" was removed while it was watched`);
      if (before === undefined) {
        if (now.spec.nodeName !== undefined) lines.step(`Evaluation triggered by node "${id(options, now.spec.nodeName)}"`);
        lines.step(`Evaluation triggered by job "${jobIdOf(now.spec.jobName)}"`);
      }
      const phase = now.status?.phase ?? 'pending';
      if (phase !== 'pending') {
        waiting.cancel();
        const deployment = now.status?.deployment;
        if (deployment !== undefined && before?.status?.deployment === undefined)
          lines.step(`Evaluation within deployment: "${id(options, deployment)}"`);
        for (const allocation of await placedBy(context, name, options.namespace)) {
          if (known.has(allocation.metadata.name)) continue;
          known.add(allocation.metadata.name);
          lines.step(placement(allocation, options));
        }
        const earlier = before?.status?.phase ?? 'pending';
        if (earlier !== phase) lines.step(`Evaluation status changed: "${earlier}" -> "${phase}"`);
      }
      before = now;
      if (phase === 'complete' || phase === 'failed' || phase === 'cancelled') return now;
    }
  } finally {
    waiting.cancel();
  }
  return undefined;
}

/** What the evaluation created or told of a new version. */
async function placedBy(context: ClusterContext, evaluation: string, namespace: string): Promise<Stored<Allocation>[]> {
  const all = await listAll(context, AllocationKind, { namespace, fieldSelector: `spec.evaluation=${evaluation}` });
  return all
    .filter(({ spec }) => spec.desired === 'run')
    .sort(by(({ spec }) => `${spec.group} ${String(spec.index).padStart(9, '0')}`));
}

function placement({ metadata, spec }: Stored<Allocation>, options: MonitorOptions): string {
  // An allocation that was there before has seen a change of its spec since it was made.
  const what = metadata.generation > 1 ? 'modified' : 'created';
  return `Allocation "${id(options, metadata.name)}" ${what}: node "${id(options, spec.nodeName)}", group "${spec.group}"`;
}
