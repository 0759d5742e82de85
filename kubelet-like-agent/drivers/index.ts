/**
 * What runs tasks. driver.ts says what a driver promises and is the place to start; every folder is one driver, and
 * test/kubelet-like-agent/drivers/contract.ts is what each of them must pass.
 */
import type { Clock, Logger } from '../../base/index.ts';
import type { Driver } from './driver.ts';
import { rawExecDriver } from './raw-exec/index.ts';

export * from './driver.ts';

export interface DriverOptions {
  readonly rawExec?: { readonly enabled: boolean };
  readonly clock: Clock;
  readonly log: Logger;
}

/** All drivers that are built in; what a machine lacks or an operator has not enabled says so in its fingerprint. */
export function createDrivers(options: DriverOptions): Driver[] {
  const { clock, log } = options;
  return [rawExecDriver({ enabled: options.rawExec?.enabled ?? false, clock, log: log.child('raw_exec') })];
}
