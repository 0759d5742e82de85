import { shortId } from '../../../base/index.ts';
import { DeploymentKind, EvaluationKind, type Deployment, type DeploymentSpec, type Stored } from '../../../openapi/index.ts';
import type { ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { say } from '../../io/streams.ts';
import { namespaceOf } from '../../lookup.ts';
import { monitorEvaluation } from '../../monitor/evaluation.ts';
import { submitting } from '../../submit.ts';
import { watchAll } from '../../watch.ts';

const verbs: Readonly<Record<string, string>> = {
  promoting: 'promote',
  failing: 'fail',
  pausing: 'pause',
  resuming: 'resume',
};

export interface Wish {
  /** `promoting`, in `Error promoting deployment: …`. */
  readonly what: string;
  readonly patch: Partial<DeploymentSpec>;
  /** Printed once the wish is accepted. */
  readonly accepted?: string;
  /** Whether the deployment controller asks for an evaluation because of it. */
  readonly evaluates?: boolean;
}

/**
 * Writes what a user wants of a deployment and follows the evaluation by which the deployment controller acts on it. Deployments
 * that have ended are past wishing.
 */
export async function wish(
  context: ClusterContext,
  deployment: Stored<Deployment>,
  flags: { readonly detach: boolean; readonly verbose: boolean },
  { what, patch, accepted, evaluates = true }: Wish,
): Promise<number> {
  const phase = deployment.status?.phase ?? 'pending';
  if (['successful', 'failed', 'cancelled'].includes(phase))
    throw new CommandError(
      `Error ${what} deployment: Unexpected response code: 500 (can't ${verbs[what] ?? 'change'} terminal deployment)`,
    );
  const namespace = namespaceOf(deployment);
  const { resourceVersion } = (
    await context.client.list(EvaluationKind, {
      namespace,
      fieldSelector: `spec.deployment=${deployment.metadata.name}`,
      limit: 1,
    })
  ).metadata;
  await submitting(context, `Error ${what} deployment`, () =>
    context.client.patch(DeploymentKind, deployment.metadata.name, namespace, {
      metadata: { uid: deployment.metadata.uid },
      spec: patch,
    }),
  );
  if (accepted !== undefined) say(context, accepted);
  if (!evaluates || flags.detach) return 0;
  const evaluation = await context.interruptible((signal) => nextEvaluation(context, deployment, resourceVersion, signal));
  if (evaluation === undefined) return 0;
  if (accepted !== undefined) say(context, '');
  return monitorEvaluation(context, evaluation, { namespace, verbose: flags.verbose });
}

/** The first evaluation that is made for the deployment after a revision; undefined if none is within some seconds. */
async function nextEvaluation(
  context: ClusterContext,
  deployment: Stored<Deployment>,
  revision: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const stop = new AbortController();
  signal.addEventListener('abort', () => stop.abort(), { once: true, signal: stop.signal });
  const patience = context.clock.after(10_000, () => stop.abort());
  try {
    const selection = { namespace: namespaceOf(deployment), fieldSelector: `spec.deployment=${deployment.metadata.name}` };
    const options = { clock: context.clock, signal: stop.signal };
    for await (const { type, object } of watchAll(context.client, EvaluationKind, selection, options))
      if (type === 'ADDED' && Number(object.metadata.resourceVersion) > Number(revision)) return object.metadata.name;
    say(context, `No evaluation yet. Follow it with: ${context.program} deployment status ${shortId(deployment.metadata.name)}`);
    return undefined;
  } finally {
    patience.cancel();
    stop.abort();
  }
}
