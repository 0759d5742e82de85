/**
 * Admission of jobs: what the API server does to a Job before it is stored. Pure functions, from a spec to a spec or to findings.
 *
 * `defaultJob` fills in everything that the job file left open (by job type, `policies.ts` has the table), so that a stored job says
 * all that will be acted on. `validateJob` names every problem of the result with its field. `unsupportedFeatures` names what parses
 * and is kept but has nobody who acts on it yet: a job that needs it is refused. `jobWarnings` are hints that refuse nothing.
 *
 * Constraints, affinities, spreads and meta stay where they were written; who uses them combines job, group and task.
 */
export { defaultJob, type JobMeta, type JobPolicy } from './defaults.ts';
export { validateJob } from './validate.ts';
export { jobWarnings } from './warnings.ts';
export { unsupportedFeatures } from './unsupported.ts';
