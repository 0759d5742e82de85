import { formatDuration, type Clock, type Duration } from '../../base/index.ts';

/** Beyond this a disk is called slow: etcd itself warns at a tenth of it, and leases of seconds bear several of it. */
const SLOW: Duration = 500;
const SAMPLES = 16;
const RECENT: Duration = 60_000;

/** How long the last writes took. */
export class Latency {
  readonly #clock: Clock;
  #samples: { readonly at: number; readonly took: Duration }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs a write and takes its time; what fails is not counted. */
  async measure<T>(write: () => Promise<T>): Promise<T> {
    const start = this.#clock.now();
    const result = await write();
    const now = this.#clock.now();
    this.#samples.push({ at: now, took: now - start });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    return result;
  }

  /** What there is to say when half of the last writes were slow. */
  get problem(): string | undefined {
    const since = this.#clock.now() - RECENT;
    const took = this.#samples.filter(({ at }) => at >= since).map(({ took }) => took);
    const median = took.sort((a, b) => a - b)[Math.floor(took.length / 2)];
    if (median === undefined || median < SLOW) return undefined;
    return `writes take ${formatDuration(median)} (median of the last ${took.length})`;
  }
}
