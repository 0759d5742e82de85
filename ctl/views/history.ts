import type { JobVersion, Stored } from '../../openapi/index.ts';
import { pairs } from '../io/columns.ts';
import { localTime } from '../io/time.ts';

/** One version of `job history`, with its difference or its whole text below. */
export function versionText({ metadata, spec }: Stored<JobVersion>, extra?: readonly [string, string]): string {
  return pairs([
    ['Version', spec.version],
    ['Stable', spec.stable === true],
    ['Submit Date', localTime(spec.submittedAt ?? metadata.creationTimestamp)],
    ...(spec.tag === undefined ? [] : [['Tag Name', spec.tag] as const]),
    ...(extra === undefined ? [] : [extra]),
  ]);
}
