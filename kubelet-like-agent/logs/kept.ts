/**
 * Logs of allocations whose folders had to make room: they stay readable for as long as the allocation is known, up to an age, and up to a size for
 * each job and for all together, and while the disk has room. One folder per allocation, with a small file that says whose it is; what is there is the truth, so nothing is lost with the agent.
 */
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, type Clock, type Duration, type Instant, type Logger, type Timer } from '../../base/index.ts';
import { writeAtomically } from '../state/store.ts';

export interface KeptLog {
  readonly id: string;
  /** Namespace and name; of a child of a dispatched or periodic job those of the parent. */
  readonly job: string;
  readonly tasks: readonly string[];
  readonly keptAt: Instant;
  readonly bytes: number;
}

export interface KeepLimits {
  /** 0: nothing is kept. */
  readonly maxAge: Duration;
  readonly bytesPerJob: number;
}

/** All jobs together keep at most so many times what one may. */
const JOBS = 10;

/** What has to go: the old, the oldest of jobs that have too much, and the oldest of all when they are too much together. */
export function surplusLogs(kept: readonly KeptLog[], now: Instant, { maxAge, bytesPerJob }: KeepLimits): string[] {
  const left = new Map<string, number>();
  let total = bytesPerJob * JOBS;
  return [...kept]
    .sort((a, b) => b.keptAt - a.keptAt)
    .flatMap(({ id, job, keptAt, bytes }) => {
      if (keptAt + maxAge <= now) return [id];
      const room = (left.get(job) ?? bytesPerJob) - bytes;
      left.set(job, room);
      if (room < 0) return [id];
      total -= bytes;
      return total < 0 ? [id] : [];
    });
}

export class KeptLogs {
  readonly #dir: string;
  readonly #limits: KeepLimits;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #kept = new Map<string, KeptLog>();
  #timer: Timer | undefined;

  constructor(options: { dir: string; limits: KeepLimits; clock: Clock; log: Logger }) {
    this.#dir = options.dir;
    this.#limits = options.limits;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Finds again what an earlier agent kept. */
  async load(): Promise<void> {
    for (const id of await readdir(this.#dir).catch(() => [])) {
      const found = await readFile(join(this.#dir, id, 'kept.json'), 'utf8').then((text) => JSON.parse(text) as KeptLog, () => undefined); // prettier-ignore
      const folder = join(this.#dir, id, 'logs');
      const made = await stat(folder).catch(() => undefined);
      // Without logs it is half made: the agent was killed before it took them over.
      if (made?.isDirectory() !== true) await this.#remove(id);
      else this.#kept.set(id, found?.id === id ? found : await describe(id, folder, made.mtimeMs));
    }
    await this.#prune();
  }

  /** Takes the folder over. */
  async keep(id: string, { job, tasks, folder }: { job: string; tasks: readonly string[]; folder: string }): Promise<void> {
    if (this.#limits.maxAge <= 0) return;
    const bytes = await sizeOf(folder);
    if (bytes === 0 || bytes > this.#limits.bytesPerJob) return;
    const entry: KeptLog = { id, job, tasks, keptAt: this.#clock.now(), bytes };
    const own = join(this.#dir, id);
    await mkdir(own, { recursive: true, mode: 0o700 });
    // In this order an agent that is killed in between leaves the logs where they were.
    await writeAtomically(join(own, 'kept.json'), JSON.stringify(entry));
    await rename(folder, join(own, 'logs'));
    this.#kept.set(id, entry);
    await this.#prune();
  }

  find(id: string): { readonly folder: string; readonly tasks: readonly string[] } | undefined {
    const entry = this.#kept.get(id);
    return entry === undefined ? undefined : { folder: join(this.#dir, id, 'logs'), tasks: entry.tasks };
  }

  /** Lets go of those that nobody can ask for any more. */
  async retain(isKnown: (id: string) => boolean): Promise<void> {
    for (const id of [...this.#kept.keys()]) if (!isKnown(id)) await this.#remove(id);
  }

  /** Makes room on the disk: the older half goes. False: there was nothing. */
  async shed(): Promise<boolean> {
    const oldestFirst = [...this.#kept.values()].sort((a, b) => a.keptAt - b.keptAt);
    const going = oldestFirst.slice(0, Math.ceil(oldestFirst.length / 2));
    for (const { id } of going) await this.#remove(id);
    return going.length > 0;
  }

  close(): void {
    this.#timer?.cancel();
  }

  async #prune(): Promise<void> {
    this.#timer?.cancel();
    for (const id of surplusLogs([...this.#kept.values()], this.#clock.now(), this.#limits)) await this.#remove(id);
    const oldest = Math.min(...[...this.#kept.values()].map(({ keptAt }) => keptAt));
    if (Number.isFinite(oldest))
      this.#timer = this.#clock.after(oldest + this.#limits.maxAge - this.#clock.now(), () => void this.#prune());
  }

  async #remove(id: string): Promise<void> {
    this.#kept.delete(id);
    await rm(join(this.#dir, id), { recursive: true, force: true }).catch((error: unknown) =>
      this.#log.warn('logs that were kept cannot be removed', { alloc: id, error: describeError(error) }),
    );
  }
}

/** What can be said of logs whose description was lost. */
async function describe(id: string, folder: string, keptAt: Instant): Promise<KeptLog> {
  const names = await readdir(folder).catch(() => []);
  const tasks = names.flatMap((name) => /^(.+)\.(?:stdout|stderr)\.\d+$/.exec(name)?.[1] ?? []);
  return { id, job: '', tasks: [...new Set(tasks)], keptAt, bytes: await sizeOf(folder) };
}

async function sizeOf(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(names.map((name) => stat(join(folder, name)).then(({ size }) => size, () => 0))); // prettier-ignore
  return sizes.reduce((sum, size) => sum + size, 0);
}
