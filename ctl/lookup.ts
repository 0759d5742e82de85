import {
  AllocationKind,
  DeploymentKind,
  EvaluationKind,
  JobKind,
  NodeKind,
  type Allocation,
  type AnyObject,
  type Deployment,
  type Evaluation,
  type Job,
  type Kind,
  type Node,
  type Stored,
} from '../openapi/index.ts';
import { ApiError } from '../base/index.ts';
import type { ClusterContext } from './command.ts';
import { CommandError } from './errors.ts';
import { allocationMatches, deploymentTable, evaluationMatches, jobMatches, nodeMatches } from './views/lists.ts';

/**
 * What an ID given by a user means. Every command takes any prefix that is unique; an exact name wins over longer ones that
 * begin with it; several matches are listed.
 */
interface Words<T extends AnyObject> {
  /** `No job(s) with prefix or id "x" found` */
  readonly none: (id: string) => string;
  /** `jobs` in `Prefix matched multiple jobs`. */
  readonly plural: string;
  readonly list: (matches: readonly Stored<T>[], now: number) => string;
}

export async function findJob(context: ClusterContext, id: string): Promise<Stored<Job>> {
  return find(context, JobKind, jobName(id), {
    none: () => `No job(s) with prefix or id ${JSON.stringify(id)} found`,
    plural: 'jobs',
    list: jobMatches,
  });
}

export async function findAllocation(context: ClusterContext, id: string): Promise<Stored<Allocation>> {
  return find(context, AllocationKind, checkId(id), {
    none: () => `No allocation(s) with prefix or id ${JSON.stringify(id)} found`,
    plural: 'allocations',
    list: allocationMatches,
  });
}

export async function findEvaluation(context: ClusterContext, id: string): Promise<Stored<Evaluation>> {
  return find(context, EvaluationKind, checkId(id), {
    none: () => `No evaluation(s) with prefix or id ${JSON.stringify(id)} found`,
    plural: 'evaluations',
    list: evaluationMatches,
  });
}

export async function findDeployment(context: ClusterContext, id: string): Promise<Stored<Deployment>> {
  return find(context, DeploymentKind, checkId(id), {
    none: () => `Deployment ID ${JSON.stringify(id)} matched no deployments`,
    plural: 'deployments',
    list: (matches) => deploymentTable(matches, { verbose: false }),
  });
}

/** A node by its ID, a prefix of that, or its name. */
export async function findNode(context: ClusterContext, id: string): Promise<Stored<Node>> {
  const named = (await listAll(context, NodeKind)).filter(({ spec }) => spec.name === id);
  if (named.length === 1) return named[0]!;
  if (named.length > 1) throw new CommandError(`Several nodes are called ${JSON.stringify(id)}\n\n${nodeMatches(named)}`);
  return find(context, NodeKind, checkId(id), {
    none: () => `No node(s) with prefix or id ${JSON.stringify(id)} found`,
    plural: 'nodes',
    list: nodeMatches,
  });
}

/** The name of the Job object of a job ID: a slash cannot stand in a path, a colon stands for it. */
export const jobName = (id: string): string => id.replaceAll('/', ':');

function checkId(id: string): string {
  if (id.length < 2) throw new CommandError('Identifier must contain at least two characters.');
  return id;
}

async function find<T extends AnyObject>(
  context: ClusterContext,
  kind: Kind<T>,
  id: string,
  words: Words<T>,
): Promise<Stored<T>> {
  const { client, listNamespace } = context;
  const namespace = kind.namespaced ? listNamespace : undefined;
  if (isWholeName(kind, id) && (!kind.namespaced || namespace !== undefined)) {
    const exact = await client.find(kind, id, namespace);
    if (exact !== undefined) return exact;
  }
  const matches = (await listAll(context, kind)).filter(({ metadata }) => metadata.name.startsWith(id));
  const exact = matches.filter(({ metadata }) => metadata.name === id);
  if (exact.length === 1) return exact[0]!;
  if (matches.length === 0) throw new CommandError(words.none(id));
  if (matches.length > 1)
    throw new CommandError(`Prefix matched multiple ${words.plural}\n\n${words.list(matches, context.clock.now())}`);
  return matches[0]!;
}

const isUuid = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/** Whether it is worth asking for an object of exactly this name. */
const isWholeName = (kind: Kind, id: string): boolean => kind === (JobKind as Kind) || isUuid.test(id);

/** All objects of a kind in the namespace asked for. */
export async function listAll<T extends AnyObject>(
  context: ClusterContext,
  kind: Kind<T>,
  selector: { readonly fieldSelector?: string; readonly labelSelector?: string; readonly namespace?: string | undefined } = {},
): Promise<Stored<T>[]> {
  const { namespace = context.listNamespace, fieldSelector, labelSelector } = selector;
  const items: Stored<T>[] = [];
  let next: string | undefined;
  do {
    const page = await context.client.list(kind, {
      limit: 500,
      ...(kind.namespaced && namespace !== undefined && { namespace }),
      ...(fieldSelector !== undefined && { fieldSelector }),
      ...(labelSelector !== undefined && { labelSelector }),
      ...(next !== undefined && { continue: next }),
    });
    items.push(...page.items);
    next = page.metadata.continue;
  } while (next !== undefined && next !== '');
  return items;
}

/** The namespace of a stored object of a namespaced kind. */
export function namespaceOf(object: Stored<AnyObject>): string {
  const { namespace } = object.metadata;
  if (namespace === undefined)
    throw new ApiError('InternalError', `the server sent ${object.kind} "${object.metadata.name}" without a namespace`);
  return namespace;
}
