import equal from 'fast-deep-equal';
import type { Caches } from './caches.ts';
import type { Permit } from './commit.ts';
import { forbidden } from './errors.ts';
import { valueAt } from './object.ts';

/**
 * Operators may close the cluster to new work (`rejectJobRegistration` of the SchedulerConfiguration): then nobody but the control plane,
 * whose writes are fenced, makes or changes a job. What is there can still be stopped and removed.
 */
export function registrationPermit(caches: Caches): Permit {
  const configurations = caches.kinds.need('orch.dev/v1', 'SchedulerConfiguration');
  return ({ kind, old, next, fenced }) => {
    if (kind.resource !== 'jobs.orch.dev' || fenced) return;
    const configuration = caches.of(configurations).latest(`${configurations.prefix}default`)?.object;
    if (configuration === undefined || valueAt(configuration, ['spec', 'rejectJobRegistration']) !== true) return;
    if (old !== undefined && equal(old['spec'], next['spec'])) return;
    if (old !== undefined && valueAt(next, ['spec', 'stop']) === true) return;
    throw forbidden(kind, next.metadata.name, 'job registration, dispatch, and scale are disabled by the scheduler configuration'); // prettier-ignore
  };
}
