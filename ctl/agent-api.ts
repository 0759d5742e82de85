import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import {
  AllocationKind,
  JobKind,
  JobVersionKind,
  NodeKind,
  objectPath,
  type Allocation,
  type Job,
  type JobSpec,
  type JobVersion,
  type Node,
  type Stored,
} from '../openapi/index.ts';
import type { ClusterContext } from './command.ts';
import { explain } from './errors.ts';
import { namespaceOf } from './lookup.ts';
import { jobVersionName } from './submit.ts';
import type { AllocationStats } from './views/allocation.ts';
import { clientStatus } from './views/lists.ts';
import type { NodeStats } from './views/node.ts';

/** What only the agent of a node knows or can do, asked for through the API server. */
export type AllocationVerb =
  'log' | 'fs/ls' | 'fs/cat' | 'fs/stat' | 'restart' | 'signal' | 'stats' | 'checks' | 'exec' | 'portforward';

export const allocationPath = (allocation: Stored<Allocation>, verb: AllocationVerb): string =>
  `${objectPath(AllocationKind, allocation.metadata.name, namespaceOf(allocation))}/${verb}`;

type Query = Record<string, string | number | boolean | undefined>;

export const askAgent = <R>(
  context: ClusterContext,
  allocation: Stored<Allocation>,
  verb: AllocationVerb,
  query: Query = {},
): Promise<R> => context.client.json<R>('GET', allocationPath(allocation, verb), { query });

export const tellAgent = (
  context: ClusterContext,
  allocation: Stored<Allocation>,
  verb: AllocationVerb,
  body: unknown,
): Promise<unknown> => context.client.json('POST', allocationPath(allocation, verb), { body });

export const streamFromAgent = (
  context: ClusterContext,
  allocation: Stored<Allocation>,
  verb: AllocationVerb,
  query: Query,
  signal: AbortSignal,
): Promise<IncomingMessage> => context.client.stream('GET', allocationPath(allocation, verb), { query, signal });

/** A command in a task, as a conversation of messages. */
export const openExec = (
  context: ClusterContext,
  allocation: Stored<Allocation>,
  {
    task,
    tty,
    ...what
  }: { readonly task: string; readonly tty: boolean } & ({ readonly command: readonly string[] } | { readonly action: string }),
): Promise<WebSocket> =>
  context.client.socket(allocationPath(allocation, 'exec'), {
    task,
    tty,
    ...('action' in what ? { action: what.action } : { command: JSON.stringify(what.command) }),
  });

/** A TCP connection to a port of an allocation: its label, or a number. */
export const openPort = (context: ClusterContext, allocation: Stored<Allocation>, port: string): Promise<WebSocket> =>
  context.client.socket(allocationPath(allocation, 'portforward'), { port });

/** Whether the agent still has something to say about an allocation. */
export const isAlive = (allocation: Stored<Allocation>): boolean =>
  !['complete', 'failed', 'lost'].includes(clientStatus(allocation));

/** What the tasks use, or the sentence why that is not known. */
export async function allocationStats(
  context: ClusterContext,
  allocation: Stored<Allocation>,
  node: Stored<Node> | undefined,
): Promise<{ stats?: AllocationStats; statsProblem?: string }> {
  if (!isAlive(allocation)) return {};
  if (node?.status?.phase === 'down') return { statsProblem: 'Omitting resource statistics since the node is down.' };
  try {
    return { stats: await askAgent<AllocationStats>(context, allocation, 'stats') };
  } catch (error) {
    return { statsProblem: `Couldn't retrieve stats: ${explain(error, context.program)}` };
  }
}

/** What the machine of a node uses, or the sentence why that is not known. */
export async function nodeStats(
  context: ClusterContext,
  node: Stored<Node>,
): Promise<{ stats?: NodeStats; statsProblem?: string }> {
  if (node.status?.phase !== 'ready') return {};
  try {
    return { stats: await context.client.json<NodeStats>('GET', `${objectPath(NodeKind, node.metadata.name)}/stats`) };
  } catch (error) {
    return { statsProblem: `Couldn't retrieve stats: ${explain(error, context.program)}` };
  }
}

/** The job that a version was made of, as it would be if it were the present one. */
export function versionedJob({ metadata, spec }: Stored<JobVersion>): Stored<Job> {
  return {
    apiVersion: JobKind.apiVersion,
    kind: JobKind.kind,
    metadata: { ...metadata, name: spec.jobName, uid: spec.jobUID },
    spec: spec.job,
    status: {
      version: spec.version,
      stable: spec.stable === true,
      ...(spec.submittedAt !== undefined && { submittedAt: spec.submittedAt }),
      ...(spec.jobModifyIndex !== undefined && { modifyIndex: spec.jobModifyIndex }),
    },
  };
}

/** The job in the version that an allocation runs; undefined where that is no longer kept. */
export async function jobOf(context: ClusterContext, { spec, ...allocation }: Stored<Allocation>): Promise<JobSpec | undefined> {
  const name = jobVersionName(spec.jobName, spec.jobUID, spec.jobVersion);
  const version = await context.client.find(JobVersionKind, name, namespaceOf({ spec, ...allocation } as Stored<Allocation>));
  return version?.spec.job;
}
