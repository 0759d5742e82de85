import { AllocationKind, DeploymentKind, type Deployment, type Stored } from '../../openapi/index.ts';
import type { ClusterContext } from '../command.ts';
import { CommandError, exitCodes } from '../errors.ts';
import { LiveBlock } from '../io/live.ts';
import { hint, say } from '../io/streams.ts';
import { localTime } from '../io/time.ts';
import { listAll } from '../lookup.ts';
import { deploymentStatus } from '../views/deployment.ts';
import { allocationTable } from '../views/lists.ts';
import { id, section, view } from '../views/view.ts';
import { allocationTroubles, reasonLines, taskTrouble } from '../views/why.ts';
import { watchAll, watchOne } from '../watch.ts';
import type { MonitorOptions } from './evaluation.ts';
import type { Lines } from './lines.ts';

/** Follows a deployment to its end, and the one that rolls it back where there is one. 0 when it succeeded, else 1. */
export async function followDeployment(
  context: ClusterContext,
  name: string,
  options: MonitorOptions,
  lines: Lines,
  signal: AbortSignal,
): Promise<number> {
  lines.headline(`Monitoring deployment "${id(options, name)}"`);
  const over = new AbortController();
  const watched = AbortSignal.any([signal, over.signal]);
  // On a terminal the block that is drawn anew leaves no place for further lines.
  const troubles = context.io.interactive ? undefined : tellTroubles(context, name, options, watched);
  const ended = await toTheEnd(context, name, options, signal).finally(() => over.abort());
  await troubles;
  if (ended === undefined) return exitCodes.failed;
  const phase = ended.status?.phase;
  if (phase === 'successful') return exitCodes.ok;
  await sayWhy(context, ended);
  if (phase === 'failed' && isRolledBack(ended)) {
    const rollback = await rollbackOf(context, ended, options, signal);
    if (rollback !== undefined) await followDeployment(context, rollback, options, lines, signal);
  }
  return exitCodes.failed;
}

/** Says why a task of the deployment failed as soon as it did, each reason once: it may be restarted for minutes before that counts. */
async function tellTroubles(context: ClusterContext, name: string, options: MonitorOptions, signal: AbortSignal): Promise<void> {
  const { client, clock, program } = context;
  const told = new Set<string>();
  const selection = { namespace: options.namespace, fieldSelector: `spec.deployment=${name}` };
  for await (const { type, object } of watchAll(client, AllocationKind, selection, { clock, signal })) {
    const { metadata, spec, status } = object;
    if (type === 'DELETED' || spec.desired !== 'run' || status?.deploymentHealth?.healthy === true) continue;
    for (const task of status?.tasks ?? []) {
      const why = taskTrouble(task);
      const text = `group "${spec.group}", task "${task.name}": ${why}`;
      if (why === undefined || told.has(text)) continue;
      told.add(text);
      hint(
        context,
        `Allocation "${id(options, metadata.name)}", ${text}. See: ${program} alloc status ${metadata.name.slice(0, 8)}`,
      );
    }
  }
}

/** Why a deployment did not succeed, by what its allocations say. */
async function sayWhy(context: ClusterContext, { metadata }: Stored<Deployment>): Promise<void> {
  const allocations = await listAll(context, AllocationKind, {
    namespace: metadata.namespace,
    fieldSelector: `spec.deployment=${metadata.name}`,
  });
  for (const line of reasonLines(allocationTroubles(allocations), context.program)) hint(context, line);
}

const isEnded = (deployment: Stored<Deployment>): boolean =>
  ['successful', 'failed', 'cancelled', 'blocked'].includes(deployment.status?.phase ?? '');

async function toTheEnd(
  context: ClusterContext,
  name: string,
  options: MonitorOptions,
  signal: AbortSignal,
): Promise<Stored<Deployment> | undefined> {
  const { client, clock, io, style } = context;
  const live = io.interactive ? new LiveBlock(io, clock) : undefined;
  let shown: string | undefined;
  try {
    for await (const deployment of watchOne(client, DeploymentKind, name, options.namespace, { clock, signal })) {
      if (deployment === undefined && options.stopping === true) return undefined;
      if (deployment === undefined) throw new CommandError(`Deployment "${id(options, name)}" was removed while it was watched`);
      const body = await describe(context, deployment, options);
      const ended = isEnded(deployment);
      if (live === undefined) {
        // The time differs at each step; the rest is printed again only when it says something new.
        if (body !== shown) say(context, `    \n${localTime(clock.now())}\n${body}`);
      } else {
        const text = (first: string): string => indent(`${first}\n\n${localTime(clock.now())}\n${body}`);
        const label = `Deployment "${id(options, name)}"`;
        if (ended) live.finish(text(`${mark(deployment, style)} ${label} ${deployment.status?.phase}`));
        else live.show((spinner) => text(`${style.cyan(spinner)} ${label} in progress...`));
      }
      shown = body;
      if (ended) return deployment;
    }
  } finally {
    if (live !== undefined && signal.aborted && shown !== undefined) live.finish(indent(shown));
  }
  return undefined;
}

async function describe(context: ClusterContext, deployment: Stored<Deployment>, options: MonitorOptions): Promise<string> {
  const how = view(context.clock.now(), options.verbose, context.style);
  const body = deploymentStatus(deployment, how);
  if (!options.verbose) return body;
  const allocations = await listAll(context, AllocationKind, {
    namespace: options.namespace,
    fieldSelector: `spec.deployment=${deployment.metadata.name}`,
  });
  return allocations.length === 0 ? body : `${body}\n\n${section(how, 'Allocations', allocationTable(allocations, how))}`;
}

const indent = (text: string): string =>
  text
    .split('\n')
    .map((line) => (line === '' ? '' : `    ${line}`))
    .join('\n');

const mark = ({ status }: Stored<Deployment>, style: ClusterContext['style']): string =>
  status?.phase === 'successful' ? style.green('✓') : status?.phase === 'failed' ? style.red('✗') : style.yellow('!');

const isRolledBack = ({ status }: Stored<Deployment>): boolean =>
  /rolling back to job version \d+/.test(status?.description ?? '');

/** The deployment of a newer version of the same job, once there is one; undefined when the signal aborted. */
async function rollbackOf(
  context: ClusterContext,
  failed: Stored<Deployment>,
  { namespace }: MonitorOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  const selection = { namespace, fieldSelector: `spec.jobName=${failed.spec.jobName}` };
  const stop = new AbortController();
  const patience = context.clock.after(15_000, () => stop.abort());
  try {
    const options = { clock: context.clock, signal: AbortSignal.any([signal, stop.signal]) };
    for await (const { type, object } of watchAll(context.client, DeploymentKind, selection, options))
      if (type !== 'DELETED' && object.spec.jobUID === failed.spec.jobUID && object.spec.jobVersion > failed.spec.jobVersion)
        return object.metadata.name;
    return undefined;
  } finally {
    patience.cancel();
    stop.abort();
  }
}
