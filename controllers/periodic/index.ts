/**
 * The periodic controller: launches a child of each periodic job whenever one of its cron expressions falls due.
 *
 * A launch is one transaction: the child, whose name follows from the instant, and `status.periodic.lastLaunch` of its parent. So
 * an instant launches exactly once, whoever leads and however often; after a break the next leader goes on from that status.
 *
 * - What fell due while nobody led is launched afterwards: everything of the last minute, otherwise only the newest.
 * - With `prohibit_overlap` an instant is passed over while a child still runs.
 * - Finished children beyond `historyLimit` are deleted, oldest first.
 *
 * Start reading at `decide.ts`.
 */
import type { Duration } from '../../base/index.ts';
import { objectKey } from '../../client/index.ts';
import { JobKind } from '../../openapi/index.ts';
import { jobsByOwner } from '../objects/index.ts';
import { defineController, settled, settledOrWake, watch, type Controller } from '../runtime/index.ts';
import { apply } from './apply.ts';
import { decide } from './decide.ts';
import { observe } from './observe.ts';

export interface PeriodicConfig {
  /** Launches that were missed by less than this are all made up for; of older ones only the newest. Default 1 minute. */
  readonly catchUp: Duration;
}

export const defaultPeriodicConfig: PeriodicConfig = { catchUp: 60_000 };

export function periodicController(config: PeriodicConfig = defaultPeriodicConfig): Controller {
  return defineController({
    name: 'periodic',
    primary: JobKind,
    reads: [
      // A child that ends may make room for the next launch, or be one too many.
      watch(JobKind, ({ metadata }) => (metadata.ownerReferences ?? []).filter(({ kind }) => kind === 'Job').map(({ name }) => objectKey(name, metadata.namespace))), // prettier-ignore
    ],
    writes: [JobKind],
    indexes: [jobsByOwner],

    async reconcile(key, context) {
      const observed = observe(key, context.read);
      if (observed === undefined) return settled;
      const plan = decide(observed, config, context.clock.now());
      await apply(observed, plan, context);
      return settledOrWake(plan.wakeAt);
    },
  });
}
