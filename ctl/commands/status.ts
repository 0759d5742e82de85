import { AllocationKind, DeploymentKind, EvaluationKind, JobKind, NodeKind, type AnyObject, type Kind, type Stored } from '../../openapi/index.ts';
import { defineClusterCommand, type ClusterContext } from '../command.ts';
import { CommandError } from '../errors.ts';
import { say } from '../io/streams.ts';
import { jobName, listAll } from '../lookup.ts';
import { deploymentStatus } from '../views/deployment.ts';
import { evaluationStatus } from '../views/evaluation.ts';
import { view } from '../views/view.ts';
import { showAllocation } from './alloc/status.ts';
import { listJobs, showJob } from './job/status.ts';
import { showNode } from './node/status.ts';
import { allNamespaces, verbose } from './options.ts';

/** The kinds that an ID is looked up in, with the words for a list of matches. */
const kinds = [
  { kind: AllocationKind, title: 'Allocs', show: showAllocation },
  { kind: DeploymentKind, title: 'Deployments', show: (context, one, flags) => say(context, deploymentStatus(one, viewOf(context, flags))) },
  { kind: EvaluationKind, title: 'Evals', show: (context, one, flags) => say(context, evaluationStatus(one, viewOf(context, flags))) },
  { kind: JobKind, title: 'Jobs', show: showJob },
  { kind: NodeKind, title: 'Nodes', show: showNode },
] as const satisfies readonly Lookup<never>[];

interface Flags {
  readonly verbose: boolean;
}

interface Lookup<T extends AnyObject> {
  readonly kind: Kind<T>;
  readonly title: string;
  show(context: ClusterContext, object: Stored<T>, flags: Flags): void | Promise<void>;
}

const viewOf = (context: ClusterContext, flags: Flags) => view(context.clock.now(), flags.verbose, context.style);

export const status = defineClusterCommand({
  name: 'status',
  summary: 'Show whatever an ID belongs to: a job, allocation, node, evaluation or deployment',
  usage: '[options] [<id>]',
  description: 'Without an ID: all jobs. A prefix is enough where it is unique over all of them.',
  examples: [{ text: 'Whatever it is', command: 'status 4fef9fed' }],
  args: { min: 0, max: 1, rule: 'This command takes either no arguments or one: <id>' },
  completes: 'job',
  flags: { verbose, allNamespaces },
  async run({ args: [id], flags }, context) {
    if (id === undefined) return listJobs(context, flags);
    const everything = kinds as readonly Lookup<AnyObject>[];
    const found = await Promise.all(
      everything.map(async (lookup) => ({ lookup, matches: await matching(context, lookup.kind, id, lookup.title) })),
    );
    const exact = found.flatMap(({ lookup, matches }) =>
      matches.filter(({ metadata }) => metadata.name === id || metadata.name === jobName(id)).map((object) => ({ lookup, object })),
    );
    const all = found.flatMap(({ lookup, matches }) => matches.map((object) => ({ lookup, object })));
    const chosen = exact.length === 1 ? exact : all;
    if (chosen.length === 0) throw new CommandError(`Unable to resolve ID: ${JSON.stringify(id)}`);
    if (chosen.length > 1) {
      const lists = found
        .filter(({ matches }) => matches.length > 0)
        .map(({ lookup, matches }) => `${lookup.title}:\n${matches.map(({ metadata }) => metadata.name).join(', ')}`);
      throw new CommandError(`Multiple matches found for id ${JSON.stringify(id)}\n\n${lists.join('\n\n')}`);
    }
    return chosen[0]!.lookup.show(context, chosen[0]!.object, flags);
  },
});

async function matching(context: ClusterContext, kind: Kind, id: string, title: string): Promise<Stored<AnyObject>[]> {
  const prefix = title === 'Jobs' ? jobName(id) : id;
  // Only hexadecimal digits begin the names of the others.
  if (title !== 'Jobs' && !/^[0-9a-f][0-9a-f-]*$/.test(prefix)) return [];
  return (await listAll(context, kind)).filter(({ metadata }) => metadata.name.startsWith(prefix));
}
