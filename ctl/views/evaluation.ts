import type { Evaluation, Stored } from '../../openapi/index.ts';
import { none, pairs } from '../io/columns.ts';
import { jobIdOf, placementFailures } from './lists.ts';
import { failedGroup, placementReasons } from './metrics.ts';
import { blocks, by, id, section, when, type View } from './view.ts';

/** What `eval status` shows. */
export function evaluationStatus(evaluation: Stored<Evaluation>, view: View): string {
  const { metadata, spec, status = {} } = evaluation;
  const phase = status.phase ?? 'pending';
  const basics = pairs([
    ['ID', id(view, metadata.name)],
    ['Create Time', when(view, metadata.creationTimestamp)],
    ['Modify Time', when(view, status.modifiedAt ?? metadata.creationTimestamp)],
    ['Status', phase],
    ['Status Description', status.description || phase],
    ['Type', spec.type ?? 'service'],
    ['TriggeredBy', spec.trigger],
    ...(spec.nodeName === undefined ? [] : [['Node ID', id(view, spec.nodeName)] as const]),
    ['Job ID', jobIdOf(spec.jobName)],
    ['Priority', spec.priority ?? 50],
    ['Placement Failures', placementFailures(evaluation)],
    ...(view.verbose
      ? ([
          ['Previous Eval', spec.previousEvaluation ?? none],
          ['Next Eval', status.nextEvaluation ?? none],
          ['Blocked Eval', status.blockedEvaluation ?? none],
        ] as const)
      : []),
    ...(spec.waitUntil === undefined ? [] : [['Wait Until', when(view, spec.waitUntil)] as const]),
  ]);
  const failed = Object.entries(status.failedPlacements ?? {}).sort(by(([group]) => group));
  if (failed.length === 0) return basics;
  const reasons = failed.map(([group, metric]) => [failedGroup(group, metric), ...placementReasons(metric), ''].join('\n'));
  return blocks(
    basics,
    section(view, 'Failed Placements', reasons.join('\n')) +
      (status.blockedEvaluation === undefined
        ? ''
        : `\nEvaluation "${id(view, status.blockedEvaluation)}" waiting for additional capacity to place remainder`),
  );
}
