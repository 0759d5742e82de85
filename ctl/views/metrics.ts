import type { AllocMetric } from '../../openapi/index.ts';
import { significant } from '../io/amounts.ts';
import { table } from '../io/columns.ts';
import { by } from './view.ts';

/** Why an allocation could not be placed, one reason a line. */
export function placementReasons(metric: AllocMetric, indent = '  '): string[] {
  const lines: string[] = [];
  const entries = (map: Readonly<Record<string, number>> | undefined): [string, number][] =>
    Object.entries(map ?? {}).sort(by(([key]) => key));
  if ((metric.nodesEvaluated ?? 0) === 0) lines.push('No nodes were eligible for evaluation');
  for (const [datacenter, available] of entries(metric.nodesAvailable))
    if (available === 0) lines.push(`No nodes are available in datacenter ${JSON.stringify(datacenter)}`);
  for (const [name, amount] of entries(metric.classFiltered))
    lines.push(`Class ${JSON.stringify(name)}: ${amount} nodes excluded by filter`);
  for (const [constraint, amount] of entries(metric.constraintFiltered))
    lines.push(`Constraint "${constraint}": ${amount} nodes excluded by filter`);
  if ((metric.nodesExhausted ?? 0) > 0) lines.push(`Resources exhausted on ${metric.nodesExhausted} nodes`);
  for (const [name, amount] of entries(metric.classExhausted))
    lines.push(`Class ${JSON.stringify(name)} exhausted on ${amount} nodes`);
  for (const [dimension, amount] of entries(metric.dimensionExhausted))
    lines.push(`Dimension "${dimension}" exhausted on ${amount} nodes`);
  return lines.map((line) => `${indent}* ${line}`);
}

/** `Task Group "cache" (failed to place 2 allocations):` */
export function failedGroup(group: string, metric: AllocMetric): string {
  const failures = (metric.coalescedFailures ?? 0) + 1;
  return `Task Group "${group}" (failed to place ${failures} ${failures === 1 ? 'allocation' : 'allocations'}):`;
}

/** The terms of the score of each node that was looked at, best first. */
export function scoreTable(metric: AllocMetric): string {
  const scores = metric.scores ?? [];
  const terms = [...new Set(scores.flatMap((score) => Object.keys(score.terms ?? {})))].sort();
  return table([
    ['Node', ...terms, 'final score'],
    ...scores.map((score) => [
      score.nodeName,
      ...terms.map((term) => significant(score.terms?.[term] ?? 0)),
      significant(score.score ?? 0),
    ]),
  ]);
}
