/**
 * The scheduler: turns evaluations ("look at this job") into plans ("stop this, place that there") and has them committed.
 *
 *     Evaluation ─► queue/ ─► reconcile/ ─► feasible/ + rank/ ─► plan/ ─► one atomic batch
 *                               what        where                how it is written
 *                                 └──── state/: the fleet as columns, fed by informers and by our own writes ────┘
 *
 * Its one loop is `#schedulerLoop` in scheduler.ts. What it decides is in plan/evaluate.ts: from the state and an evaluation to a plan,
 * synchronously, without a trace if the plan is dropped. Start reading there; then reconcile/reconcile.ts (what must change) and
 * rank/session.ts (where it goes).
 *
 * Promised:
 * - One evaluation per job is worked on at a time, the most urgent first; while its plan is committed others are worked on, with
 *   what the plan takes set aside and what it frees still taken.
 * - An evaluation is pending until its whole plan is written: the outcome is the last write of the batch (of the last one, where a
 *   plan is too large for one request), and the batch is refused if anybody else has dealt with the evaluation meanwhile. So a kill at any instant loses nothing: before the batch nothing has
 *   happened; after it everything has; and where the store had to cut it in pieces, the evaluation is still pending and
 *   is taken up again by whoever leads next, who finds what was written and does the rest.
 * - What is told to stop holds its room until its node says that it has ended. Only its successor is placed into it, and starts then.
 * - Nothing is placed twice. The names of new allocations follow from the evaluation and its version, so a plan sent again because its
 *   answer was lost is refused; a new leader reads all allocations before it decides; a deposed one's batch fails its fence.
 * - What cannot be placed waits as one blocked evaluation per job and is woken by a node that would now take it, by nothing else.
 * - The same evaluation against the same state gives the same plan.
 */
import { aborted, type Part } from '../runtime/manager.ts';
import { EventRecorder } from '../../client/index.ts';
import { followed, Scheduler, type SchedulerConfig, type SchedulerOptions } from './scheduler.ts';

/** Schedules until `signal` aborts. `client` must carry a leader's fence; rejects when that is refused. */
export async function startScheduler(options: SchedulerOptions): Promise<void> {
  const synced = Promise.all(followed.map((kind) => options.informers.of(kind).synced));
  await Promise.race([synced, aborted(options.signal)]);
  if (!options.signal.aborted) await new Scheduler(options).run();
}

/** The scheduler as a part of a process that runs controllers: led under its own Lease. */
export function schedulerPart(config: Partial<SchedulerConfig> = {}): Part {
  return {
    lease: 'scheduler',
    component: 'scheduler',
    prepare({ informers }) {
      for (const kind of followed) informers.of(kind);
    },
    async lead({ informers, clock, log, identity }, term, stop) {
      const events = new EventRecorder({ client: term.client, clock, log, component: 'scheduler', instance: identity });
      try {
        await startScheduler({
          client: term.client,
          informers,
          clock,
          log: log.child('scheduler'),
          signal: stop,
          config,
          events,
        });
      } finally {
        await events.close();
      }
    },
  };
}

export type { SchedulerConfig, SchedulerOptions } from './scheduler.ts';
