/**
 * Job files ↔ Job resources. Everything here is pure: texts and values in, values and texts out; only `filesBelow` opens files, for whoever
 * wants `file()` to work.
 *
 *   hcl/     the language: text → tokens → syntax tree (with places) → values
 *   job/     the job file's blocks as one table (schema.ts), and decoding by it: HCL, JSON, YAML → Job
 *   nomad/   Job ↔ the JSON of Nomad's API, by the same table
 *   diff/    what differs between two jobs, and the text of `job plan`
 *   print/   Job → HCL; formatting of HCL files
 *
 * Start reading at `parseJob` (parse-job.ts). Problems never throw: they come as diagnostics that know file, line and column, all of a file at once.
 */
export { parseJob, parseManifests, takenByHcl1, type JobOptions, type JobResult, type ManifestResult } from './parse-job.ts';
export {
  Diagnostics,
  DiagnosticsError,
  formatDiagnostic,
  formatDiagnosticLine,
  formatDiagnostics,
  type Diagnostic,
} from './hcl/diagnostic.ts';
export { Source, formatRange, type Range, type Position } from './hcl/source.ts';
export { filesBelow } from './files.ts';
export type { FileAccess } from './hcl/functions/files.ts';
export { fromNomadJob, jobId, resourceName, toNomadJob, type JobTokens, type NomadJob } from './nomad/index.ts';
export { formatGoDuration, parseGoDuration } from './go-duration.ts';
export * from './diff/index.ts';
export { formatHcl } from './print/hcl.ts';
export { formatHclFile, formatHclText } from './print/format.ts';
export { secondOpinion, type Opinion } from './hcl/second-opinion.ts';
