import {
  AllocationKind,
  DeploymentKind,
  EvaluationKind,
  EventKind,
  JobKind,
  NodeKind,
  type Allocation,
  type AnyObject,
  type Event,
  type Job,
  type Kind,
  type Stored,
} from '../../../openapi/index.ts';
import { defineClusterCommand, type ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { say } from '../../io/streams.ts';
import { findKind, findObject, parseTargets } from '../../kinds.ts';
import { listAll } from '../../lookup.ts';
import { describeObject } from '../../views/describe.ts';
import { placementReasons } from '../../views/metrics.ts';
import { unplaced } from '../../views/job.ts';
import { allocationTroubles, placementAdvice, reasonLines } from '../../views/why.ts';

export const describe = defineClusterCommand({
  name: 'describe',
  summary: 'Show everything about an object, with its events',
  usage: '[options] <kind> <name>…',
  examples: [{ text: 'A job', command: 'describe job example' }],
  args: { min: 1, rule: 'This command takes a kind and a name: <kind> <name>…' },
  completes: 'kind',
  async run({ args }, context) {
    const { stringify } = await import('yaml');
    const parts: string[] = [];
    for (const { kind: word, name } of parseTargets(args)) {
      const kind = await findKind(context, word);
      const objects =
        name === undefined
          ? await listAll({ ...context, listNamespace: context.namespace }, kind)
          : [await findObject(context, kind, name)];
      if (objects.length === 0) throw new CommandError(`No ${kind.plural} found`);
      for (const object of objects)
        parts.push(
          describeObject(
            object,
            { events: await eventsOf(context, kind, object), problems: await problemsOf(context, kind, object) },
            context.clock.now(),
            (value) => stringify(value, { lineWidth: 0 }),
          ),
        );
    }
    say(context, parts.join('\n\n\n'));
  },
});

/** Why an object is not well, as far as other objects tell. */
async function problemsOf(context: ClusterContext, kind: Kind, object: Stored<AnyObject>): Promise<string[]> {
  const { name, namespace } = object.metadata;
  if (kind === (AllocationKind as Kind)) return reasonLines(allocationTroubles([object as Stored<Allocation>]), context.program);
  const isJob = kind === (JobKind as Kind);
  if (!isJob && kind !== (DeploymentKind as Kind)) return [];
  const fieldSelector = `${isJob ? 'spec.jobName' : 'spec.deployment'}=${name}`;
  const allocations = await listAll(context, AllocationKind, { namespace, fieldSelector });
  if (!isJob) return reasonLines(allocationTroubles(allocations), context.program);
  const job = object as Stored<Job>;
  const own = allocations.filter(({ spec }) => spec.jobUID === job.metadata.uid && spec.jobVersion === job.status?.version);
  const cause = unplaced(job, await listAll(context, EvaluationKind, { namespace, fieldSelector }));
  const failed = cause?.status?.failedPlacements ?? {};
  const advice = placementAdvice(job, failed, cause === undefined ? [] : await listAll(context, NodeKind));
  const unplacedLines = Object.entries(failed).flatMap(([group, metric]) => [
    `Group "${group}" cannot be placed:`,
    ...placementReasons(metric),
  ]);
  return [...unplacedLines, ...reasonLines([...advice, ...allocationTroubles(own)], context.program)];
}

/** The events about an object; those about cluster-wide ones are kept in the namespace default. */
async function eventsOf(context: ClusterContext, kind: Kind, object: Stored<AnyObject>): Promise<Stored<Event>[]> {
  const selector = `involvedObject.kind=${kind.kind},involvedObject.name=${object.metadata.name}`;
  const events = await listAll(context, EventKind, {
    namespace: object.metadata.namespace ?? 'default',
    fieldSelector: selector,
  });
  return events.filter(({ involvedObject }) => involvedObject?.uid === undefined || involvedObject.uid === object.metadata.uid);
}
