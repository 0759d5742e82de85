import { Cron } from 'croner';
import type { PeriodicConfig } from '../kinds.ts';

/** Not part of the folder's index: whoever needs no schedule loads no parser for it. */

/**
 * The first instant after `after` at which any of the expressions falls due; undefined: there is none. In the time zone's own
 * terms: an hour that is left out in spring moves what falls into it to its end, an hour that comes twice in autumn launches
 * at a fixed time once, and what is due every so often each time.
 */
export function nextLaunch(periodic: PeriodicConfig, after: number): number | undefined {
  let next: number | undefined;
  for (const cron of cronsOf(periodic)) {
    const at = cron.nextRun(new Date(after))?.getTime();
    if (at !== undefined && (next === undefined || at < next)) next = at;
  }
  return next;
}

/** All instants in (after, until], oldest first; of more than `limit`, the last ones. */
export function launchesBetween(periodic: PeriodicConfig, after: number, until: number, limit: number): number[] {
  const found: number[] = [];
  for (let at = nextLaunch(periodic, after); at !== undefined && at <= until; at = nextLaunch(periodic, at)) {
    found.push(at);
    if (found.length > limit) found.shift();
  }
  return found;
}

const compiled = new Map<string, Cron>();

function cronsOf({ cron, crons = [], timeZone = 'UTC' }: PeriodicConfig): Cron[] {
  return [...(cron === undefined ? [] : [cron]), ...crons].map((pattern) => {
    const key = `${timeZone}\n${pattern}`;
    let known = compiled.get(key);
    if (known === undefined) {
      if (compiled.size > 10_000) compiled.clear();
      known = new Cron(pattern, { paused: true, ...(timeZone !== 'Local' && { timezone: timeZone }) });
      compiled.set(key, known);
    }
    return known;
  });
}
