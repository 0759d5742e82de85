/**
 * What runs tasks. driver.ts says what a driver promises and is the place to start; every folder is one driver, and
 * test/kubelet-like-agent/drivers/contract.ts is what each of them must pass.
 */
import type { Clock, Logger } from '../../base/index.ts';
import { dockerDriver, type DockerOptions } from './docker/index.ts';
import type { Driver } from './driver.ts';
import { rawExecDriver } from './raw-exec/index.ts';

export * from './driver.ts';
export type { DockerOptions } from './docker/index.ts';
export { readDockerPlugin } from './docker/plugin.ts';

export interface DriverOptions {
  readonly docker?: DockerOptions;
  readonly rawExec?: { readonly enabled: boolean };
  readonly clock: Clock;
  readonly log: Logger;
}

/** All drivers that are built in; what a machine lacks or an operator has not enabled says so in its fingerprint. */
export function createDrivers({ docker, rawExec, clock, log }: DriverOptions): Driver[] {
  return [
    dockerDriver({ ...docker, clock, log: log.child('docker') }),
    rawExecDriver({ enabled: rawExec?.enabled ?? false, clock, log: log.child('raw_exec') }),
  ];
}
