/**
 * Everything that makes the world match. One folder per controller, all of one shape: `index.ts` declares, `observe.ts` reads,
 * `decide.ts` thinks, `apply.ts` writes.
 *
 * | part | writes | because of |
 * |---|---|---|
 * | job | JobVersion, Evaluation, Job.status | Job, Allocation, Evaluation, Deployment |
 * | scheduler | Allocation, Deployment, Evaluation.status | Evaluation, Node |
 * | deployment | Deployment.status, Evaluation, Job.spec (revert) | Allocation.status, Job |
 * | node | Node.status, Evaluation, Allocation.spec.desiredTransition | Lease, Node.spec.drain |
 * | periodic | Job (children), Job.status.periodic | Job, the time |
 * | gc | deletes | owners that are gone, deadlines, Operation |
 *
 * Each part elects its own leader, so parts may run in one process or each in several. All of them share the process's caches.
 */
import type { Clock, Duration, Logger } from '../base/index.ts';
import { Informers, type Client } from '../client/index.ts';
import { controllerNames, type ControllerName } from './names.ts';
import { deploymentController } from './deployment/index.ts';
import { defaultGcConfig, type GcConfig } from './gc/index.ts';
import { gcPart } from './gc/part.ts';
import { jobController, summaryOperations } from './job/index.ts';
import { defaultHeartbeatConfig, drainController, heartbeatController, type HeartbeatConfig } from './node/index.ts';
import { defaultPeriodicConfig, periodicController, type PeriodicConfig } from './periodic/index.ts';
import { schedulerPart, type SchedulerConfig } from './scheduler/index.ts';
import { Manager, noMetrics, partOf, type ControllerMetrics, type Part } from './runtime/index.ts';

export { controllerNames, type ControllerName };

export interface ControllersConfig {
  readonly gc?: Partial<GcConfig>;
  readonly node?: Partial<HeartbeatConfig>;
  readonly periodic?: Partial<PeriodicConfig>;
  readonly scheduler?: Partial<SchedulerConfig>;
  /** How long a leader's Lease outlives its last renewal: how long nobody leads after one died. Default 4 s. */
  readonly leaseTtl?: Duration;
}

/** Short enough that another one leads within 5 s; a leader renews three times in it, and asks another server when one hangs. */
const LEADER_TTL: Duration = 4_000;

export interface ControllersOptions {
  readonly client: Client;
  readonly names: readonly ControllerName[];
  /** Names the process in Leases and Events: host and process id, say. */
  readonly identity: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly config?: ControllersConfig;
  readonly metrics?: ControllerMetrics;
}

/** Starts the named parts; each works while it is elected. `close` finishes what is under way and gives leadership away. */
export function startControllers(options: ControllersOptions): Promise<{ close(): Promise<void> }> {
  const { client, names, identity, clock, config = {}, metrics = noMetrics } = options;
  const log = options.log.child('controllers');
  const informers = new Informers({ client, clock, log });
  const host = { client, informers, clock, log, metrics, identity, leaseTtl: config.leaseTtl ?? LEADER_TTL };
  const manager = new Manager(
    host,
    [...new Set(names)].map((name) => partFor(name, config, clock)),
  );
  return Promise.resolve({
    async close() {
      await manager.close();
      await informers.close();
    },
  });
}

function partFor(name: ControllerName, config: ControllersConfig, clock: Clock): Part {
  switch (name) {
    case 'job':
      return partOf('controller-job', [jobController, summaryOperations]);
    case 'scheduler':
      return schedulerPart(config.scheduler);
    case 'deployment':
      return partOf('controller-deployment', [deploymentController]);
    case 'node':
      return partOf('controller-node', [
        heartbeatController(clock.now, { ...defaultHeartbeatConfig, ...config.node }),
        drainController,
      ]);
    case 'periodic':
      return partOf('controller-periodic', [periodicController({ ...defaultPeriodicConfig, ...config.periodic })]);
    case 'gc':
      return gcPart({ ...defaultGcConfig, ...config.gc });
  }
}

export type { GcConfig } from './gc/index.ts';
export type { HeartbeatConfig } from './node/index.ts';
export type { PeriodicConfig } from './periodic/index.ts';
export type { SchedulerConfig } from './scheduler/index.ts';
export { noMetrics, type ControllerMetrics, type ReconcileResult } from './runtime/index.ts';
