import {
  AllocationKind,
  DeploymentKind,
  EvaluationKind,
  JobKind,
  NodeKind,
  type AnyObject,
  type Kind,
  type Stored,
} from '../../openapi/index.ts';
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

interface Flags {
  readonly verbose: boolean;
}

/** One kind that an ID is looked up in. */
interface Lookup {
  readonly title: string;
  find(context: ClusterContext, id: string): Promise<Match[]>;
}

interface Match {
  readonly name: string;
  readonly exact: boolean;
  show(flags: Flags): void | Promise<void>;
}

function lookup<T extends AnyObject>(
  title: string,
  kind: Kind<T>,
  show: (context: ClusterContext, object: Stored<T>, flags: Flags) => void | Promise<void>,
  asName: (id: string) => string | undefined = (id) => (/^[0-9a-f][0-9a-f-]*$/.test(id) ? id : undefined),
): Lookup {
  return {
    title,
    async find(context, id) {
      const prefix = asName(id);
      if (prefix === undefined) return [];
      const objects = await listAll(context, kind);
      return objects
        .filter(({ metadata }) => metadata.name.startsWith(prefix))
        .map((object) => ({
          name: object.metadata.name,
          exact: object.metadata.name === prefix,
          show: (flags) => show(context, object, flags),
        }));
    },
  };
}

const lookups: readonly Lookup[] = [
  lookup('Allocs', AllocationKind, showAllocation),
  lookup('Deployments', DeploymentKind, (context, one, flags) => say(context, deploymentStatus(one, viewOf(context, flags)))),
  lookup('Evals', EvaluationKind, (context, one, flags) => say(context, evaluationStatus(one, viewOf(context, flags)))),
  lookup('Jobs', JobKind, showJob, jobName),
  lookup('Nodes', NodeKind, showNode),
];

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
    const found = await Promise.all(lookups.map(async ({ title, find }) => ({ title, matches: await find(context, id) })));
    const all = found.flatMap(({ matches }) => matches);
    const exact = all.filter((match) => match.exact);
    const [chosen, ...more] = exact.length > 0 ? exact : all;
    if (chosen === undefined) throw new CommandError(`Unable to resolve ID: ${JSON.stringify(id)}`);
    if (more.length === 0) return chosen.show(flags);
    const lists = found
      .filter(({ matches }) => matches.length > 0)
      .map(({ title, matches }) => `${title}:\n${matches.map(({ name }) => name).join(', ')}`);
    throw new CommandError(`Multiple matches found for id ${JSON.stringify(id)}\n\n${lists.join('\n\n')}`);
  },
});
