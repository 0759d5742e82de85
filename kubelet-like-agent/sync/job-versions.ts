import { backoff, describeError, sleep, type Clock, type Logger } from '../../base/index.ts';
import { ConnectionError, type Client } from '../../client/index.ts';
import { JobVersionKind, type Allocation, type JobSpec, type Stored } from '../../openapi/index.ts';
import type { JsonFolder } from '../state/store.ts';

/** The name of the JobVersion that an allocation runs. */
export const jobVersionName = ({ spec }: Pick<Stored<Allocation>, 'spec'>): string =>
  `${spec.jobName}-${spec.jobUID.slice(0, 8)}-v${spec.jobVersion}`;

const cacheKey = (allocation: Stored<Allocation>): string =>
  `${allocation.metadata.namespace ?? 'default'}/${jobVersionName(allocation)}`;

const RETRY = { base: 200, max: 15_000 };

/**
 * Job versions that allocations of this node run. A version never changes, so each is fetched once and kept on disk: a
 * restart of the agent needs no server. Allocations of one version share one object.
 */
export class JobVersions {
  readonly #client: Client;
  readonly #folder: JsonFolder<JobSpec>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #loaded = new Map<string, JobSpec>();
  readonly #loading = new Map<string, Promise<JobSpec | undefined>>();

  constructor(options: { client: Client; folder: JsonFolder<JobSpec>; clock: Clock; log: Logger }) {
    this.#client = options.client;
    this.#folder = options.folder;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** What is on disk. */
  async restore(): Promise<void> {
    for (const [key, job] of await this.#folder.load(this.#log)) this.#loaded.set(key, job);
  }

  cached(allocation: Stored<Allocation>): JobSpec | undefined {
    return this.#loaded.get(cacheKey(allocation));
  }

  /** Fetches it, for as long as it takes; undefined only when the signal aborts. */
  get(allocation: Stored<Allocation>, signal: AbortSignal): Promise<JobSpec | undefined> {
    const key = cacheKey(allocation);
    const known = this.#loaded.get(key);
    if (known !== undefined) return Promise.resolve(known);
    const loading = this.#loading.get(key) ?? this.#fetch(key, allocation, signal).finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return loading;
  }

  /** Forgets what none of these runs. */
  async keep(allocations: readonly Stored<Allocation>[]): Promise<void> {
    const used = new Set(allocations.map(cacheKey));
    const gone = [...this.#loaded.keys()].filter((key) => !used.has(key));
    for (const key of gone) {
      this.#loaded.delete(key);
      await this.#folder.remove(key);
    }
  }

  async #fetch(key: string, allocation: Stored<Allocation>, signal: AbortSignal): Promise<JobSpec | undefined> {
    const name = jobVersionName(allocation);
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const { spec } = await this.#client.get(JobVersionKind, name, allocation.metadata.namespace ?? 'default', signal);
        await this.#folder.save(key, spec.job);
        this.#loaded.set(key, spec.job);
        return spec.job;
      } catch (error) {
        if (signal.aborted) return undefined;
        const level = attempt === 3 && !(error instanceof ConnectionError) ? 'warn' : 'debug';
        this.#log[level]('cannot fetch the job version, retrying', { jobVersion: name, error: describeError(error) });
        await sleep(this.#clock, backoff(attempt, RETRY.base, RETRY.max), signal);
      }
    }
    return undefined;
  }
}
