import type { Clock, Duration, Instant, Timer } from '../../../base/index.ts';
import { Heap } from '../../../client/workqueue/heap.ts';
import { Chance } from './chance.ts';

/**
 * Time and processes of a simulated cluster. Nothing in it waits for anything real: every delay is a timer of this world, and time jumps
 * to the next one as soon as the code that runs has come to rest. So an hour takes as long as what happens in it, and a seed decides all.
 */
export class World {
  readonly chance: Chance;
  #now: Instant;
  #seq = 0;
  #timers = new Heap<Pending>((a, b) => (a.at === b.at ? a.seq < b.seq : a.at < b.at));
  /** Immediates that were scheduled and have not run. */
  #immediates = 0;
  #restore: (() => void) | undefined;

  constructor(seed: number | string, start: Instant = Date.UTC(2026, 0, 1)) {
    this.chance = new Chance(seed);
    this.#now = start;
    this.#countImmediates();
  }

  readonly now = (): Instant => Math.floor(this.#now);

  /** With fractions: what messages are put in order by. */
  get instant(): number {
    return this.#now;
  }

  after(ms: Duration, fn: () => void): Timer {
    const pending: Pending = { at: this.#now + Math.max(0, ms), seq: this.#seq++, fn };
    this.#timers.push(pending);
    return {
      cancel: () => {
        pending.fn = undefined;
      },
    };
  }

  /** Lets time pass until the condition holds (true), or for `ms` at most (false). Asked whenever everything has come to rest. */
  async until(condition: () => boolean, ms: Duration): Promise<boolean> {
    const end = this.#now + ms;
    for (;;) {
      await this.#rest();
      if (condition()) return true;
      const next = this.#next();
      if (next === undefined || next.at > end) {
        this.#now = end;
        return false;
      }
      this.#timers.pop();
      this.#now = Math.max(this.#now, next.at);
      next.fn!();
    }
  }

  async pass(ms: Duration): Promise<void> {
    await this.until(() => false, ms);
  }

  /** Gives the process back what was put under control. */
  close(): void {
    this.#restore?.();
    this.#timers = new Heap<Pending>((a, b) => a.at < b.at);
  }

  #next(): Pending | undefined {
    for (let next = this.#timers.peek(); next !== undefined; next = this.#timers.peek()) {
      if (next.fn !== undefined) return next;
      this.#timers.pop();
    }
    return undefined;
  }

  /** Resolves when no code has anything left to do at this instant. Microtasks are done between any two immediates. */
  async #rest(): Promise<void> {
    do await new Promise<void>((resolve) => realImmediate(resolve));
    while (this.#immediates > 0);
  }

  #countImmediates(): void {
    const counted = (fn: (...args: unknown[]) => void, ...args: unknown[]): NodeJS.Immediate => {
      this.#immediates++;
      return realImmediate(() => {
        this.#immediates--;
        fn(...args);
      });
    };
    globalThis.setImmediate = counted as typeof setImmediate;
    this.#restore = () => {
      globalThis.setImmediate = realImmediate;
    };
  }
}

interface Pending {
  readonly at: Instant;
  readonly seq: number;
  /** Undefined once it is cancelled. */
  fn: (() => void) | undefined;
}

const realImmediate = globalThis.setImmediate;

/**
 * A process of the world: what it hears (timers, answers, events) reaches it through `deliver`, so it can be paused (all of it waits) or
 * killed (nothing reaches it ever again: its promises stay open, as those of a dead process do).
 */
export class Process {
  readonly name: string;
  readonly #world: World;
  #state: 'running' | 'paused' | 'dead' = 'running';
  #waiting: (() => void)[] = [];
  #skew = 0;
  readonly #onDeath: (() => void)[] = [];

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
  }

  readonly clock: Clock = {
    now: () => this.#world.now() + this.#skew,
    after: (ms, fn) => this.#world.after(ms, () => this.deliver(fn)),
  };

  get alive(): boolean {
    return this.#state !== 'dead';
  }

  deliver(fn: () => void): void {
    if (this.#state === 'running') fn();
    else if (this.#state === 'paused') this.#waiting.push(fn);
  }

  /** kill -9. */
  kill(): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    this.#waiting = [];
    for (const fn of this.#onDeath.splice(0)) fn();
  }

  /** SIGSTOP. */
  pause(): void {
    if (this.#state === 'running') this.#state = 'paused';
  }

  /** SIGCONT. */
  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    for (const fn of this.#waiting.splice(0)) this.#world.after(0, () => this.deliver(fn));
  }

  /** The machine's clock is set: its time of day jumps, its timers do not. */
  skew(ms: Duration): void {
    this.#skew = ms;
  }

  /** What others notice of its death. */
  onDeath(fn: () => void): void {
    if (this.#state === 'dead') fn();
    else this.#onDeath.push(fn);
  }
}
