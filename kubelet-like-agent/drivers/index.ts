/**
 * What runs tasks. driver.ts says what a driver promises and is the place to start; every folder is one driver, and
 * test/kubelet-like-agent/drivers/contract.ts is what each of them must pass.
 */
import type { Clock, Logger } from '../../base/index.ts';
import { dockerDriver, type DockerOptions } from './docker/index.ts';
import type { Driver } from './driver.ts';
import { execDriver } from './exec/index.ts';
import { javaDriver } from './java/index.ts';
import { defaultWallPolicy, type WallPolicy } from './process/policy.ts';
import { qemuDriver } from './qemu/index.ts';
import { rawExecDriver } from './raw-exec/index.ts';

export * from './driver.ts';
export type { DockerOptions } from './docker/index.ts';
export { readWallPlugin } from './process/policy.ts';
export { readDockerPlugin } from './docker/plugin.ts';

export interface DriverOptions {
  readonly docker?: DockerOptions;
  readonly rawExec?: { readonly enabled: boolean };
  readonly exec?: Partial<WallPolicy>;
  /** Names of drivers that this node is to have, and not to have; an empty list leaves it open. */
  readonly allowed?: readonly string[];
  readonly denied?: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}

/** All drivers that are built in; what a machine lacks or an operator has not enabled says so in its fingerprint. */
export function createDrivers(options: DriverOptions): Driver[] {
  const { docker, rawExec, exec, allowed = [], denied = [], clock, log } = options;
  const policy = { ...defaultWallPolicy, ...exec };
  const all = [
    dockerDriver({ ...docker, clock, log: log.child('docker') }),
    execDriver({ policy, clock, log: log.child('exec') }),
    javaDriver({ policy, clock, log: log.child('java') }),
    qemuDriver({ policy, clock, log: log.child('qemu') }),
    rawExecDriver({ enabled: rawExec?.enabled ?? false, clock, log: log.child('raw_exec') }),
  ];
  return all.filter(({ name }) => (allowed.length === 0 || allowed.includes(name)) && !denied.includes(name));
}
