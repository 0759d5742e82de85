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
  const { mode = '' } = restart;
  if (mode !== 'fail' && mode !== 'delay') findings.invalid('mode', `Unsupported restart mode: "${mode}"`);
  const attempts = restart.attempts ?? 0;
  const interval = parseDuration(restart.interval) ?? 0;
  const delay = parseDuration(restart.delay) ?? 0;
  if (attempts < 0) findings.invalid('attempts', `Restart attempts can't be negative: ${attempts}`);
  if (attempts === 0 && mode !== 'fail')
    findings.invalid('attempts', `Restart policy "${mode}" with ${attempts} attempts is ambiguous`);
  if (interval < 5 * SECOND) findings.invalid('interval', `Interval can not be less than 5s (got ${formatDuration(interval)})`);
  if (delay < 0) findings.invalid('delay', `Delay can't be negative: ${formatDuration(delay)}`);
  if (attempts * delay > interval) {
    findings.invalid(
      'interval',
      `Nomad can't restart the TaskGroup ${attempts} times in an interval of ${formatDuration(interval)} with a delay of ${formatDuration(delay)}`,
    );
  }
}

export function validateReschedule(policy: ReschedulePolicy | undefined, type: string | undefined, findings: Findings): void {
  if (policy === undefined) return;
  if (type === 'system' || type === 'sysbatch') {
    findings.invalid('', `${type === 'system' ? 'System' : 'Sysbatch'} jobs should not have a reschedule policy`);
    return;
  }
  const { attempts = 0, unlimited = false, delayFunction = '' } = policy;
  if (attempts < 0) findings.invalid('attempts', `Reschedule attempts can't be negative: ${attempts}`);
  if (attempts <= 0 && !unlimited) return; // never rescheduled
  const interval = parseDuration(policy.interval) ?? 0;
  const delay = parseDuration(policy.delay) ?? 0;
  const maxDelay = parseDuration(policy.maxDelay) ?? 0;
  const [intervalText, delayText, maxText] = [interval, delay, maxDelay].map(formatDuration);
  let comparable = true;
  const refuse = (field: string, message: string): void => {
    findings.invalid(field, message);
    comparable = false;
  };
  if (attempts > 0 && interval <= 0) findings.invalid('interval', 'Interval must be a non zero value if Attempts > 0');
  if (attempts > 0 && unlimited) {
    refuse(
      'attempts',
      `Reschedule Policy with Attempts = ${attempts}, Interval = ${intervalText}, and Unlimited = true is ambiguous`,
    );
  }
  if (delay < 5 * SECOND) refuse('delay', `Delay cannot be less than 5s (got ${delayText})`);
  if (!delayFunctions.includes(delayFunction)) {
    const known = delayFunctions.map((name) => `"${name}"`).join(' ');
    refuse('delayFunction', `Invalid delay function "${delayFunction}", must be one of [${known}]`);
  }
  if (delayFunction !== 'constant') {
    if (maxDelay < 5 * SECOND) refuse('maxDelay', `Max Delay cannot be less than 5s (got ${delayText})`);
    if (maxDelay < delay) refuse('maxDelay', `Max Delay cannot be less than Delay ${delayText} (got ${maxText})`);
  }
  if (unlimited) return;
  if (interval < 15 * SECOND) findings.invalid('interval', `Interval cannot be less than 15s (got ${intervalText})`);
  if (!comparable) return;
  const { possible, recommended } = viableAttempts(delayFunction, attempts, interval, delay, maxDelay);
  if (possible === attempts) return;
  const ceiling = delayFunction === 'constant' ? ` and delay function "constant"` : `, delay function "${delayFunction}", and delay ceiling ${maxText}`; // prettier-ignore
  findings.invalid(
    'attempts',
    `Nomad can only make ${possible} attempts in ${intervalText} with initial delay ${delayText}${ceiling}`,
  );
  const whole = formatDuration(Math.round(recommended / SECOND) * SECOND);
  findings.invalid('interval', `Set the interval to at least ${whole} to accommodate ${attempts} attempts`);
}

const delayFunctions = ['constant', 'exponential', 'fibonacci'];

/** How many of the attempts there is time for, and how long the interval should be for all of them. */
function viableAttempts(
  delayFunction: string,
  attempts: number,
  interval: Duration,
  delay: Duration,
  maxDelay: Duration,
): { readonly possible: number; readonly recommended: Duration } {
  if (delayFunction === 'constant') {
    const recommended = attempts * delay;
    return { possible: interval < recommended ? Math.floor(interval / delay) : attempts, recommended };
  }
  if (delayFunction === 'exponential') {
    let [possible, recommended] = [0, 0];
    for (let i = 0; i < attempts && i < MANY; i++) {
      const next = 2 ** i * delay;
      recommended = next > maxDelay ? recommended + maxDelay : next;
      if (recommended < interval) possible++;
    }
    return { possible, recommended };
  }
  // Each slot is when an attempt is made, counted from the first failure.
  const slots = [delay, delay];
  let reachedCeiling = false;
  for (let i = 2; i < attempts && i < MANY; i++) {
    const sum = slots[i - 1]! + slots[i - 2]!;
    if (reachedCeiling) slots.push(slots[i - 1]! + maxDelay);
    else slots.push(Math.min(sum, maxDelay));
    reachedCeiling ||= sum > maxDelay;
  }
  const recommended = slots.at(-1)!;
  const late = slots.findIndex((slot) => slot > interval);
  return { possible: interval < recommended ? Math.max(0, late) : attempts, recommended };
}

/** No interval has room for more. */
const MANY = 100_000;

export function validateUpdate(update: UpdateStrategy | undefined, type: string | undefined, findings: Findings): void {
  if (update === undefined) return;
  if (type === 'batch' || type === 'sysbatch') {
    findings.invalid('', `Job type "${type}" does not allow update block`);
    return;
  }
  const maxParallel = update.maxParallel ?? 1;
  const canary = update.canary ?? 0;
  if (maxParallel === 0) return; // no deployment, whatever else is set
  if (update.healthCheck !== undefined && !['checks', 'task_states', 'manual'].includes(update.healthCheck))
    findings.invalid('healthCheck', `Invalid health check given: "${update.healthCheck}"`);
  if (maxParallel < 0) findings.invalid('maxParallel', `Max parallel can not be less than zero: ${maxParallel} < 0`);
  const maxSurge = update.maxSurge ?? 0;
  if (maxSurge < 0) findings.invalid('maxSurge', `Max surge can not be less than zero: ${maxSurge} < 0`);
  if (maxSurge > 0 && maxSurge > maxParallel)
    findings.invalid('maxSurge', `Max surge can not exceed max parallel, of which it is a part: ${maxSurge} > ${maxParallel}`);
  if (maxSurge > 0 && type === 'system')
    findings.invalid('maxSurge', 'Max surge is for service jobs: a node has one allocation of a system job at a time');
  if (canary < 0) findings.invalid('canary', `Canary count can not be less than zero: ${canary} < 0`);
  if (update.autoPromote === true && canary === 0)
    findings.invalid('autoPromote', 'Auto Promote requires a Canary count greater than zero');
  const stagger = parseDuration(update.stagger);
  const minHealthy = parseDuration(update.minHealthyTime);
  const healthy = parseDuration(update.healthyDeadline);
  const progress = parseDuration(update.progressDeadline);
  if (minHealthy !== undefined && minHealthy < 0) findings.invalid('minHealthyTime', `Minimum healthy time may not be less than zero: ${formatDuration(minHealthy)}`); // prettier-ignore
  if (healthy !== undefined && healthy <= 0) findings.invalid('healthyDeadline', `Healthy deadline must be greater than zero: ${formatDuration(healthy)}`); // prettier-ignore
  if (progress !== undefined && progress < 0) findings.invalid('progressDeadline', `Progress deadline must be zero or greater: ${formatDuration(progress)}`); // prettier-ignore
  if (minHealthy !== undefined && healthy !== undefined && minHealthy >= healthy) {
    findings.invalid(
      'minHealthyTime',
      `Minimum healthy time must be less than healthy deadline: ${formatDuration(minHealthy)} > ${formatDuration(healthy)}`,
    );
  }
  if (healthy !== undefined && progress !== undefined && progress !== 0 && healthy >= progress) {
    findings.invalid(
      'healthyDeadline',
      `Healthy deadline must be less than progress deadline: ${formatDuration(healthy)} > ${formatDuration(progress)}`,
    );
  }
  if (stagger !== undefined && stagger <= 0)
    findings.invalid('stagger', `Stagger must be greater than zero: ${formatDuration(stagger)}`);
}

export function validateMigrate(migrate: MigrateStrategy | undefined, type: string | undefined, findings: Findings): void {
  if (migrate === undefined) return;
  if (type === 'batch' || type === 'system' || type === 'sysbatch') {
    findings.invalid('', `Job type "${type}" does not allow migrate block`);
    return;
  }
  const maxParallel = migrate.maxParallel ?? 1;
  if (maxParallel < 0) findings.invalid('maxParallel', `MaxParallel must be >= 0 but found ${maxParallel}`);
  if (migrate.healthCheck === '') findings.required('healthCheck', 'Missing HealthCheck');
  else if (migrate.healthCheck !== undefined && !['checks', 'task_states'].includes(migrate.healthCheck))
    findings.invalid('healthCheck', `Invalid HealthCheck: "${migrate.healthCheck}"`);
  const minHealthy = parseDuration(migrate.minHealthyTime);
  const healthy = parseDuration(migrate.healthyDeadline);
  if (minHealthy !== undefined && minHealthy < 0) findings.invalid('minHealthyTime', `MinHealthyTime is ${formatDuration(minHealthy)} and must be >= 0`); // prettier-ignore
  if (healthy !== undefined && healthy < 0) findings.invalid('healthyDeadline', `HealthyDeadline is ${formatDuration(healthy)} and must be >= 0`); // prettier-ignore
  if (minHealthy !== undefined && healthy !== undefined && minHealthy > healthy)
    findings.invalid('minHealthyTime', 'MinHealthyTime must be less than HealthyDeadline');
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
