import equal from 'fast-deep-equal';
import type { Evaluation, JobSpec, Stored } from '../../../openapi/index.ts';
import { isTemplate } from '../../objects/index.ts';
import type { JobKey, JobView } from '../model.ts';
import type { Cluster } from '../state/cluster.ts';

/** The job that an evaluation is about, at all its versions. */
export class Specs {
  /** As the cluster has it. */
  readonly live: JobView | undefined;
  /** As it is to be: the live one, or that of a dry run. */
  readonly job: JobView | undefined;
  readonly #cluster: Cluster;
  readonly #key: JobKey;

  constructor(cluster: Cluster, key: JobKey, evaluation: Stored<Evaluation>) {
    this.#cluster = cluster;
    this.#key = key;
    this.live = cluster.view(key);
    const { dryRun } = evaluation.spec;
    // A dry run of a job that only its children run shows what a launch would do.
    this.job = dryRun === undefined ? withoutTemplates(this.live) : submitted(this.live, key, evaluation, dryRun.job);
  }

  /** The spec of a version; undefined: not known any more. */
  of(version: number): JobSpec | undefined {
    if (this.job === undefined) return undefined;
    if (version === this.job.version) return this.job.spec;
    return this.#cluster.spec(this.#key, this.job.uid, version);
  }

  hasGroup(version: number, group: string): boolean {
    return this.of(version)?.groups?.some(({ name }) => name === group) ?? false;
  }
}

/** The job of a dry run at the version that it would get: that of the live one if nothing differs. */
function submitted(
  live: JobView | undefined,
  key: JobKey,
  { metadata, spec: asked }: Stored<Evaluation>,
  spec: JobSpec,
): JobView {
  if (live !== undefined)
    return equal(live.spec, spec) ? live : { ...live, spec, version: live.version + 1, stopped: spec.stop === true };
  return {
    key,
    namespace: metadata.namespace ?? 'default',
    name: asked.jobName,
    uid: '',
    version: 0,
    generation: 1,
    modifyIndex: 0,
    spec,
    stopped: spec.stop === true,
  };
}

/** A periodic or parameterised job runs nothing itself; its children do. */
const withoutTemplates = (job: JobView | undefined): JobView | undefined =>
  job !== undefined && isTemplate(job.spec) ? { ...job, stopped: true } : job;
