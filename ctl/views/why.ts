import type { Allocation, AllocMetric, Job, JobSpec, Node, Stored, TaskEvent, TaskState } from '../../openapi/index.ts';
import { clientStatus, modifiedAt, nodeName } from './lists.ts';
import { by, newestFirst } from './view.ts';

/** Why something failed or cannot be placed, in sentences, each with what to do to learn more. */
export interface Reason {
  readonly text: string;
  /** The command that tells more, without the name of the program. */
  readonly look?: string;
}

/** Events that say why a task ended, or never began. */
const causes = new Set([
  'Driver Failure',
  'Setup Failure',
  'Failed Validation',
  'Failed Artifact Download',
  'Template Failure',
  'Terminated',
  'Sibling Task Failed',
  'Leader Task Dead',
]);

/** Why a task is not well: the event that ended it, and what was decided then. */
export function taskTrouble({ events = [], failed }: TaskState): string | undefined {
  const cause = [...events].reverse().find((event) => causes.has(event.type) && !isCleanExit(event));
  const verdict = events.findLast(({ type }) => type === 'Not Restarting')?.message;
  if (cause !== undefined) return `${cause.type}: ${cause.message ?? ''}${verdict === undefined ? '' : ` (${verdict})`}`;
  if (verdict !== undefined) return verdict;
  return failed === true ? events.at(-1)?.message : undefined;
}

const isCleanExit = ({ type, message = '' }: TaskEvent): boolean =>
  type === 'Terminated' && /^Exit Code: 0\b(?!.*Signal)/.test(message);

/** Whether an allocation failed, or is not healthy in its deployment. */
export const isTroubled = (allocation: Stored<Allocation>): boolean =>
  clientStatus(allocation) === 'failed' || allocation.status?.deploymentHealth?.healthy === false;

/** Why allocations are not well; those with one cause are told together, the newest is named. */
export function allocationTroubles(allocations: readonly Stored<Allocation>[]): Reason[] {
  const found = new Map<string, { count: number; allocation: Stored<Allocation>; task: string | undefined; logs: boolean }>();
  for (const allocation of newestFirst(
    allocations.filter(isTroubled),
    (one) => modifiedAt(one) ?? 0,
    ({ spec }) => spec.name,
  )) {
    const tasks = allocation.status?.tasks ?? [];
    const told = tasks.flatMap((task) => {
      const text = taskTrouble(task);
      return text === undefined ? [] : [{ task, text }];
    });
    const chosen = told.find(({ task }) => task.failed === true) ?? told[0];
    const reason = chosen?.text ?? allocation.status?.deploymentHealth?.reason ?? allocation.status?.description ?? 'failed';
    const what = `group "${allocation.spec.group}"${chosen === undefined ? '' : `, task "${chosen.task.name}"`}: ${reason}`;
    const known = found.get(what);
    if (known !== undefined) known.count++;
    else found.set(what, { count: 1, allocation, task: chosen?.task.name, logs: /^Terminated: /.test(reason) });
  }
  return [...found].map(([what, { count, allocation, task, logs }]) => {
    const id = allocation.metadata.name.slice(0, 8);
    const who = count === 1 ? `Allocation "${id}"` : `${count} allocations, the last of them "${id}"`;
    return { text: `${who}, ${what}`, look: logs ? `alloc logs -stderr ${id} ${task}` : `alloc status ${id}` };
  });
}

/** What the recorded reasons of a placement failure leave out: which driver or datacenter it is that no node has. */
export function placementAdvice(
  job: Pick<Job, 'spec'> | undefined,
  failed: Readonly<Record<string, AllocMetric>>,
  nodes: readonly Stored<Node>[],
): Reason[] {
  return Object.entries(failed)
    .sort(by(([group]) => group))
    .flatMap(([group, metric]) => adviceFor(group, metric, job?.spec, nodes));
}

function adviceFor(group: string, metric: AllocMetric, job: JobSpec | undefined, nodes: readonly Stored<Node>[]): Reason[] {
  const reasons: Reason[] = [];
  const filtered = Object.keys(metric.constraintFiltered ?? {});
  if (filtered.includes('missing drivers')) {
    const tasks = job?.groups?.find(({ name }) => name === group)?.tasks ?? [];
    const absent = tasks.filter(({ driver }) => !nodes.some((node) => isUsable(node, driver)));
    const offered = nodes.slice(0, 3).map((node) => `${nodeName(node)} has ${driversOf(node).join(', ') || 'none'}`);
    const more = nodes.length > 3 ? `, and ${nodes.length - 3} more` : '';
    for (const { name, driver } of absent)
      reasons.push({
        text: `No node offers driver "${driver}", which task "${name}" of group "${group}" needs (${offered.join('; ')}${more})`,
        look: 'node status',
      });
    if (absent.length === 0 && tasks.length > 0) {
      const wanted = [...new Set(tasks.map(({ driver }) => `"${driver}"`))].join(' and ');
      reasons.push({ text: `No node that is left offers driver ${wanted} to group "${group}"`, look: 'node status -verbose' });
    }
  }
  if ((metric.nodesEvaluated ?? 0) === 0 && reasons.length === 0) {
    const eligible = nodes.filter((node) => node.status?.phase === 'ready' && node.spec.eligibility !== 'ineligible');
    if (nodes.length === 0) reasons.push({ text: 'No node has joined the cluster yet', look: 'agent -help' });
    else if (eligible.length === 0) reasons.push({ text: 'No node is ready and eligible', look: 'node status' });
    else {
      const have = [...new Set(nodes.map(({ spec }) => spec.datacenter ?? 'dc1'))].sort().join(', ');
      const asked = (job?.datacenters ?? ['*']).join(', ');
      reasons.push({ text: `The job asks for datacenters ${asked} and pool "${job?.nodePool ?? 'default'}"; nodes are in ${have}`, look: 'node status' }); // prettier-ignore
    }
  }
  return reasons;
}

const isUsable = (node: Stored<Node>, driver: string | undefined): boolean =>
  driver !== undefined && node.status?.drivers?.[driver]?.healthy === true;

const driversOf = (node: Stored<Node>): string[] =>
  Object.entries(node.status?.drivers ?? {})
    .filter(([, { healthy }]) => healthy === true)
    .map(([name]) => name)
    .sort();

/** Reasons as lines, each with its command. */
export const reasonLines = (reasons: readonly Reason[], program: string): string[] =>
  reasons.map(({ text, look }) => (look === undefined ? text : `${text}. See: ${program} ${look}`));
