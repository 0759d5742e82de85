/** Milliseconds since the Unix epoch. */
export type Instant = number;

/** A pending timer; `cancel` does nothing once it has fired. */
export interface Timer {
  cancel(): void;
}

/** The only source of time: passed in wherever time matters, so that a test can own it. */
export interface Clock {
  now(): Instant;
  /** Calls `fn` once, `ms` from now (at least; never before the current turn ends). Does not keep the process alive. */
  after(ms: number, fn: () => void): Timer;
}

/** setTimeout fires at once for longer delays, so they are split. */
const LONGEST = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, fn) {
    let handle: NodeJS.Timeout;
    const arm = (left: number): void => {
      handle = left > LONGEST ? setTimeout(() => arm(left - LONGEST), LONGEST) : setTimeout(fn, Math.max(0, left));
      handle.unref();
    };
    arm(ms);
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves `ms` from now, or at once when `signal` aborts (it does not throw: look at the signal). */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(ms, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** A clock that stands still until a test moves it. Timers fire in order of their instants. */
export class ManualClock implements Clock {
  #now: Instant;
  #timers: { at: Instant; seq: number; fn: () => void }[] = [];
  #seq = 0;

  constructor(start: Instant = Date.UTC(2026, 0, 1)) {
    this.#now = start;
  }

  now(): Instant {
    return this.#now;
  }

  after(ms: number, fn: () => void): Timer {
    const timer = { at: this.#now + Math.max(0, ms), seq: this.#seq++, fn };
    this.#timers.push(timer);
    return {
      cancel: () => {
        const at = this.#timers.indexOf(timer);
        if (at >= 0) this.#timers.splice(at, 1);
      },
    };
  }

  /** Moves time forward and fires what is due, each timer at its own instant. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at || a.seq - b.seq)[0];
      if (due === undefined) break;
      this.#timers.splice(this.#timers.indexOf(due), 1);
      this.#now = Math.max(this.#now, due.at);
      due.fn();
    }
    this.#now = end;
  }
}

/** RFC 3339 in UTC with milliseconds, as statuses carry it. */
export const toTimestamp = (at: Instant): string => new Date(at).toISOString();

/** RFC 3339 in UTC with whole seconds, as metadata carries it. */
export function toTimestampSeconds(at: Instant): string {
  const second = Math.floor(at / 1000);
  // Many are asked for within a second, and making the text is slow.
  if (second !== lastSecond.second) {
    lastSecond = { second, text: new Date(second * 1000).toISOString().replace(/\.\d+Z$/, 'Z') };
  }
  return lastSecond.text;
}
let lastSecond = { second: NaN, text: '' };

/** The instant of an RFC 3339 text; undefined for absent or unreadable ones. */
export function parseTimestamp(text: string | null | undefined): Instant | undefined {
  if (text === undefined || text === null) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}
