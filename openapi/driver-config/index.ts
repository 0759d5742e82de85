/**
 * What the `config` of a task may say, by driver: known to the API server, which refuses what is misspelt before anything is placed,
 * and to the agent, which reads it. Drivers that are not listed (an operator's own) are asked on their node only.
 */
import { dockerFields } from './docker.ts';
import { execFields, javaFields } from './exec.ts';
import { configProblems, type ConfigProblem, type DriverConfig, type Fields } from './fields.ts';
import { qemuFields } from './qemu.ts';
import { rawExecFields } from './raw-exec.ts';

export * from './docker.ts';
export * from './exec.ts';
export * from './fields.ts';
export * from './qemu.ts';
export * from './raw-exec.ts';
export * from './sensitive.ts';

const tables = new Map<string, Fields>([
  ['docker', dockerFields],
  ['exec', execFields],
  ['java', javaFields],
  ['qemu', qemuFields],
  ['raw_exec', rawExecFields],
]);

/** What is wrong with a task's config, as far as that can be told without its node. */
export function driverConfigProblems(driver: string, config: DriverConfig): ConfigProblem[] {
  const fields = tables.get(driver);
  return fields === undefined ? [] : configProblems(fields, config);
}
