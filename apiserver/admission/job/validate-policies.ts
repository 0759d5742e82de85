import { formatDuration, parseDuration, type Duration } from '../../../base/index.ts';
import type {
  DisconnectStrategy,
  MigrateStrategy,
  ReschedulePolicy,
  RestartPolicy,
  UpdateStrategy,
} from '../../../openapi/index.ts';
import type { Findings } from './findings.ts';

const SECOND = 1000;

export function validateRestart(restart: RestartPolicy | undefined, findings: Findings): void {
  if (restart === undefined) return;
  findings.oneOf('mode', restart.mode, ['fail', 'delay'], 'restart mode');
  const attempts = restart.attempts ?? 0;
  const interval = parseDuration(restart.interval) ?? 0;
  const delay = parseDuration(restart.delay) ?? 0;
  if (attempts < 0) findings.invalid('attempts', `Restart attempts can't be negative: ${attempts}`);
  if (attempts === 0 && restart.mode === 'delay') {
    findings.invalid(
      'attempts',
      'Restart mode "delay" with 0 attempts is ambiguous: give attempts, or mode "fail" for no restarts',
    );
  }
  if (interval < 5 * SECOND) findings.invalid('interval', `Interval can not be less than 5s (got ${formatDuration(interval)})`);
  if (delay < 0) findings.invalid('delay', `Delay can't be negative: ${formatDuration(delay)}`);
  if (attempts * delay > interval) {
    findings.invalid(
      'interval',
      `Can't restart ${attempts} times in an interval of ${formatDuration(interval)} with a delay of ${formatDuration(delay)}`,
    );
  }
}

export function validateReschedule(policy: ReschedulePolicy | undefined, type: string | undefined, findings: Findings): void {
  if (policy === undefined) return;
  if (type === 'system' || type === 'sysbatch') {
    findings.invalid('', `${type === 'system' ? 'System' : 'Sysbatch'} jobs should not have a reschedule policy`);
    return;
  }
  const attempts = policy.attempts ?? 0;
  const unlimited = policy.unlimited ?? false;
  if (attempts < 0) findings.invalid('attempts', `Reschedule attempts can't be negative: ${attempts}`);
  if (attempts <= 0 && !unlimited) return; // never rescheduled
  const interval = parseDuration(policy.interval) ?? 0;
  const delay = parseDuration(policy.delay) ?? 0;
  const maxDelay = parseDuration(policy.maxDelay) ?? 0;
  findings.oneOf('delayFunction', policy.delayFunction, ['constant', 'exponential', 'fibonacci'], 'delay function');
  if (attempts > 0 && unlimited) {
    findings.invalid(
      'attempts',
      `Reschedule policy with ${attempts} attempts and unlimited = true is ambiguous: set unlimited = false, or leave attempts out`,
    );
  }
  if (delay < 5 * SECOND) findings.invalid('delay', `Delay cannot be less than 5s (got ${formatDuration(delay)})`);
  if (policy.delayFunction !== 'constant' && maxDelay < delay) {
    findings.invalid(
      'maxDelay',
      `Max delay cannot be less than delay ${formatDuration(delay)} (got ${formatDuration(maxDelay)})`,
    );
  }
  if (unlimited) return;
  if (interval < 15 * SECOND) {
    findings.invalid('interval', `Interval cannot be less than 15s when attempts are limited (got ${formatDuration(interval)})`);
    return;
  }
  const needed = totalDelay(policy.delayFunction, attempts, delay, maxDelay);
  if (needed > interval) {
    const possible = attemptsWithin(policy.delayFunction, interval, delay, maxDelay);
    findings.invalid(
      'attempts',
      `Only ${possible} of ${attempts} attempts fit into the interval of ${formatDuration(interval)} with an initial delay of ` +
        `${formatDuration(delay)} and delay function "${policy.delayFunction}": set the interval to at least ${formatDuration(needed)}, or fewer attempts`,
    );
  }
}

/** The sum of the delays before so many attempts. */
function totalDelay(fn: string | undefined, attempts: number, delay: Duration, maxDelay: Duration): Duration {
  let total = 0;
  for (const next of delays(fn, delay, maxDelay)) {
    if (attempts-- === 0) return total;
    total += next;
  }
  return total;
}

function attemptsWithin(fn: string | undefined, interval: Duration, delay: Duration, maxDelay: Duration): number {
  let total = 0;
  let attempts = 0;
  for (const next of delays(fn, delay, maxDelay)) {
    total += next;
    if (total > interval) break;
    attempts += 1;
  }
  return attempts;
}

function* delays(fn: string | undefined, delay: Duration, maxDelay: Duration): Generator<Duration> {
  let [before, current] = [0, delay];
  for (let i = 0; i < 10_000; i++) {
    yield fn === 'constant' ? delay : Math.min(current, maxDelay);
    [before, current] = [current, fn === 'fibonacci' ? before + current : Math.min(current * 2, Number.MAX_SAFE_INTEGER / 4)];
  }
}

export function validateUpdate(update: UpdateStrategy | undefined, type: string | undefined, findings: Findings): void {
  if (update === undefined) return;
  if (type === 'batch' || type === 'sysbatch') {
    findings.invalid('', `Job type "${type}" does not allow update block`);
    return;
  }
  const maxParallel = update.maxParallel ?? 1;
  const canary = update.canary ?? 0;
  if (maxParallel < 0) findings.invalid('maxParallel', `Max parallel can not be less than zero: ${maxParallel} < 0`);
  if (canary < 0) findings.invalid('canary', `Canary count can not be less than zero: ${canary} < 0`);
  if (canary > 0 && maxParallel === 0)
    findings.invalid('canary', 'Canaries need a deployment, and maxParallel 0 means that there is none');
  if (update.autoPromote === true && canary === 0)
    findings.invalid('autoPromote', 'Auto Promote requires a Canary count greater than zero');
  if (update.healthCheck !== undefined)
    findings.oneOf('healthCheck', update.healthCheck, ['checks', 'task_states', 'manual'], 'health check');
  const stagger = parseDuration(update.stagger);
  const minHealthy = parseDuration(update.minHealthyTime);
  const healthy = parseDuration(update.healthyDeadline);
  const progress = parseDuration(update.progressDeadline);
  if (stagger !== undefined && stagger <= 0)
    findings.invalid('stagger', `Stagger must be greater than zero: ${formatDuration(stagger)}`);
  if (minHealthy !== undefined && minHealthy < 0) findings.invalid('minHealthyTime', `Minimum healthy time may not be less than zero: ${formatDuration(minHealthy)}`); // prettier-ignore
  if (healthy !== undefined && healthy <= 0) findings.invalid('healthyDeadline', `Healthy deadline must be greater than zero: ${formatDuration(healthy)}`); // prettier-ignore
  if (progress !== undefined && progress < 0) findings.invalid('progressDeadline', `Progress deadline must be zero or greater: ${formatDuration(progress)}`); // prettier-ignore
  if (minHealthy !== undefined && healthy !== undefined && minHealthy >= healthy) {
    findings.invalid(
      'minHealthyTime',
      `Minimum healthy time must be less than healthy deadline: ${formatDuration(minHealthy)} > ${formatDuration(healthy)}`,
    );
  }
  if (healthy !== undefined && progress !== undefined && progress > 0 && healthy > progress) {
    findings.invalid(
      'healthyDeadline',
      `Healthy deadline must be less than progress deadline: ${formatDuration(healthy)} > ${formatDuration(progress)}`,
    );
  }
}

export function validateMigrate(migrate: MigrateStrategy | undefined, type: string | undefined, findings: Findings): void {
  if (migrate === undefined) return;
  if (type === 'batch' || type === 'system' || type === 'sysbatch') {
    findings.invalid('', `Job type "${type}" does not allow migrate block`);
    return;
  }
  const maxParallel = migrate.maxParallel ?? 1;
  if (maxParallel < 0) findings.invalid('maxParallel', `Max parallel must be >= 0 but found ${maxParallel}`);
  if (migrate.healthCheck !== undefined)
    findings.oneOf('healthCheck', migrate.healthCheck, ['checks', 'task_states'], 'health check');
  const minHealthy = parseDuration(migrate.minHealthyTime);
  const healthy = parseDuration(migrate.healthyDeadline);
  if (minHealthy !== undefined && minHealthy < 0) findings.invalid('minHealthyTime', `Minimum healthy time may not be less than zero: ${formatDuration(minHealthy)}`); // prettier-ignore
  if (healthy !== undefined && healthy < 0) findings.invalid('healthyDeadline', `Healthy deadline may not be less than zero: ${formatDuration(healthy)}`); // prettier-ignore
  if (minHealthy !== undefined && healthy !== undefined && minHealthy > healthy) {
    findings.invalid(
      'minHealthyTime',
      `Minimum healthy time must be less than healthy deadline: ${formatDuration(minHealthy)} > ${formatDuration(healthy)}`,
    );
  }
}

export function validateDisconnect(disconnect: DisconnectStrategy | undefined, findings: Findings): void {
  if (disconnect === undefined) return;
  if (disconnect.reconcile !== undefined) {
    findings.oneOf('reconcile', disconnect.reconcile.replaceAll('_', '-'), ['keep-original', 'keep-replacement', 'best-score', 'longest-running'], 'reconcile strategy'); // prettier-ignore
  }
  const lostAfter = parseDuration(disconnect.lostAfter);
  const stopAfter = parseDuration(disconnect.stopOnClientAfter);
  if (lostAfter !== undefined && lostAfter < 0)
    findings.invalid('lostAfter', `lost_after can't be negative: ${formatDuration(lostAfter)}`);
  if (stopAfter !== undefined && stopAfter < 0) findings.invalid('stopOnClientAfter', `stop_on_client_after can't be negative: ${formatDuration(stopAfter)}`); // prettier-ignore
  if (lostAfter !== undefined && stopAfter !== undefined) {
    findings.invalid('stopOnClientAfter', 'Give either lost_after or stop_on_client_after, not both');
  }
}
