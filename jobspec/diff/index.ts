/**
 * What differs between two versions of a job. `diffJobs` compares, `annotate` adds what the scheduler would do about it, `formatJobDiff` writes the text that
 * `job plan` and `job history -p` show. All pure.
 */
export { annotate } from './annotate.ts';
export { diffJobs, type DiffOptions } from './diff.ts';
export { formatImpacts, impacts, type Impact } from './impact.ts';
export { formatJobDiff, type FormatOptions } from './format.ts';
export {
  diffToJson,
  type DiffType,
  type FieldDiff,
  type JobDiff,
  type ObjectDiff,
  type TaskDiff,
  type TaskGroupDiff,
} from './model.ts';
