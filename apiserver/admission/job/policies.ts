/** The defaults by job type. */
import type { MigrateStrategy, ReschedulePolicy, RestartPolicy, UpdateStrategy } from '../../../openapi/index.ts';

export type JobType = 'service' | 'batch' | 'system' | 'sysbatch';
export const jobTypes: readonly JobType[] = ['service', 'batch', 'system', 'sysbatch'];

interface Policies {
  readonly restart: RestartPolicy;
  readonly reschedule?: ReschedulePolicy;
  readonly update?: UpdateStrategy;
  readonly migrate?: MigrateStrategy;
}

const longRunning: RestartPolicy = { attempts: 2, interval: '30m', delay: '15s', mode: 'fail', renderTemplates: false };
const finite: RestartPolicy = { attempts: 3, interval: '24h', delay: '15s', mode: 'fail', renderTemplates: false };

/** Where a policy is absent, jobs of the type have none. */
export const policies: Readonly<Record<JobType, Policies>> = {
  service: {
    restart: longRunning,
    reschedule: { attempts: 0, interval: '0s', delay: '30s', delayFunction: 'exponential', maxDelay: '1h', unlimited: true },
    update: {
      stagger: '30s',
      maxParallel: 1,
      healthCheck: 'checks',
      minHealthyTime: '10s',
      healthyDeadline: '5m',
      progressDeadline: '10m',
      canary: 0,
      autoRevert: false,
      autoPromote: false,
    },
    migrate: { maxParallel: 1, healthCheck: 'checks', minHealthyTime: '10s', healthyDeadline: '5m' },
  },
  batch: {
    restart: finite,
    reschedule: { attempts: 1, interval: '24h', delay: '5s', delayFunction: 'constant', maxDelay: '0s', unlimited: false },
  },
  system: { restart: longRunning, update: { stagger: '30s', maxParallel: 1 } },
  sysbatch: { restart: finite },
};

/** The policies of a type; those of a service when the type is unknown (validation names that). */
export const policiesOf = (type: string | undefined): Policies => policies[type as JobType] ?? policies.service;
