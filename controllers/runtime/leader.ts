import type { Clock, Logger } from '../../base/index.ts';
import type { Client, Informers } from '../../client/index.ts';
import type { ControllerMetrics } from './controller.ts';
import { aborted, type Host, type Part } from './manager.ts';

/** What a part gets that has a loop of its own instead of reconciling key by key. */
export interface LeaderContext<Config> {
  /** Writes carry the leader's fence. */
  readonly client: Client;
  /** The process's caches; shared with the controllers that run beside it. */
  readonly informers: Informers;
  /** Aborts when it shall stop: it is shut down, or leadership is lost. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ControllerMetrics;
  readonly config: Config;
}

/** A part with a loop of its own: `start` works until its signal aborts, and resolves when all its work is done. */
export function loopPart<Config>(lease: string, start: (context: LeaderContext<Config>) => Promise<void>, config: Config): Part {
  return {
    lease,
    prepare: () => undefined,
    async lead({ informers, clock, log, metrics }: Host, term, stop) {
      await start({ client: term.client, informers, signal: stop, clock, log: log.child(lease), metrics, config });
      // Leadership is kept until it is to be given away, even by a part that has nothing to do.
      await aborted(stop);
    },
  };
}
