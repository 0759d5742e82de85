import type { AllocMetric, JobSpec } from '../../openapi/index.ts';

/**
 * One sentence on why allocations of a group have no place.
 *
 * @example explainFailure('web', { nodesEvaluated: 3, dimensionExhausted: { memory: 3 } })
 * // '1 allocation of group "web" cannot be placed: memory is exhausted on 3 of 3 nodes'
 */
export function explainFailure(group: string, metric: AllocMetric, drivers: readonly string[] = []): string {
  const missing = 1 + (metric.coalescedFailures ?? 0);
  const nodes = metric.nodesEvaluated ?? 0;
  const what = `${missing} ${missing === 1 ? 'allocation' : 'allocations'} of group "${group}" cannot be placed`;
  if (nodes === 0) return `${what}: no node of the job's datacenters and node pool is ready`;
  const reasons = [
    ...entries(metric.constraintFiltered).map(([text, count]) => `${sentence(text, drivers)} on ${count} of ${nodes} nodes`),
    ...entries(metric.dimensionExhausted).map(([text, count]) => `${exhausted(text)} on ${count} of ${nodes} nodes`),
  ];
  return reasons.length === 0 ? what : `${what}: ${reasons.join(', ')}`;
}

/** What somebody can do about it: the command that shows what is lacking where. */
export function adviseOnFailure({ nodesEvaluated = 0, nodesFiltered = 0, constraintFiltered = {} }: AllocMetric): string {
  if (nodesEvaluated === 0) return 'orchctl node status lists the nodes, their pools and why they take nothing';
  if (constraintFiltered['missing drivers'] !== undefined) return 'orchctl node status NODE shows the drivers of a node and what is wrong with them'; // prettier-ignore
  if (nodesFiltered === nodesEvaluated) return 'orchctl node status -verbose NODE shows the attributes that constraints look at';
  return 'orchctl node status -stats NODE shows what holds the room of a node';
}

/** The drivers that the tasks of a group need. */
export const driversOf = (spec: JobSpec, group: string): string[] => [
  ...new Set((spec.groups?.find(({ name }) => name === group)?.tasks ?? []).flatMap(({ driver }) => driver ?? [])),
];

const entries = (counts: Record<string, number> | undefined): [string, number][] =>
  Object.entries(counts ?? {}).sort(([, a], [, b]) => b - a);

function sentence(text: string, drivers: readonly string[]): string {
  if (text === 'missing drivers' && drivers.length > 0)
    return `${drivers.length === 1 ? 'driver' : 'one of the drivers'} ${drivers.join(', ')} is missing or unhealthy`;
  if (text.startsWith('missing ')) return `${text.slice('missing '.length)} missing`;
  if (text === 'distinct_hosts') return 'the job runs already';
  if (text.startsWith('distinct_property')) return text;
  return `constraint "${text}" is not met`;
}

const exhausted = (text: string): string =>
  text.startsWith('network: ') ? text.slice('network: '.length) : `${text} is exhausted`;
