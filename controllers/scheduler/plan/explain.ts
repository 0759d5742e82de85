import type { AllocMetric } from '../../../openapi/index.ts';

/**
 * One sentence on why allocations of a group have no place.
 *
 * @example explainFailure('web', { nodesEvaluated: 3, dimensionExhausted: { memory: 3 } })
 * // '1 allocation of group "web" cannot be placed: memory is exhausted on 3 of 3 nodes'
 */
export function explainFailure(group: string, metric: AllocMetric): string {
  const missing = 1 + (metric.coalescedFailures ?? 0);
  const nodes = metric.nodesEvaluated ?? 0;
  const what = `${missing} ${missing === 1 ? 'allocation' : 'allocations'} of group "${group}" cannot be placed`;
  if (nodes === 0) return `${what}: no node of the job's datacenters and node pool is ready`;
  const reasons = [
    ...entries(metric.constraintFiltered).map(([text, count]) => `${sentence(text)} on ${count} of ${nodes} nodes`),
    ...entries(metric.dimensionExhausted).map(([text, count]) => `${exhausted(text)} on ${count} of ${nodes} nodes`),
  ];
  return reasons.length === 0 ? what : `${what}: ${reasons.join(', ')}`;
}

const entries = (counts: Record<string, number> | undefined): [string, number][] =>
  Object.entries(counts ?? {}).sort(([, a], [, b]) => b - a);

function sentence(text: string): string {
  if (text.startsWith('missing ')) return `${text.slice('missing '.length)} missing`;
  if (text === 'distinct_hosts') return 'the job runs already';
  if (text.startsWith('distinct_property')) return text;
  return `constraint "${text}" is not met`;
}

const exhausted = (text: string): string =>
  text.startsWith('network: ') ? text.slice('network: '.length) : `${text} is exhausted`;
