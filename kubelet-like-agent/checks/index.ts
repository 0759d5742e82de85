/**
 * Health checks. `startCheck` is one loop per check: wait, probe (probe.ts), judge (verdict.ts, pure), tell.
 *
 * A check that has never passed is tried often at first, so that a task counts as healthy the moment it is; until the first
 * interval is over only success counts.
 */
import { durationOr, parseDuration, sleep, toTimestamp, type Clock, type Duration } from '../../base/index.ts';
import type { Check, CheckStatus } from '../../openapi/index.ts';
import { probeGrpc } from './grpc.ts';
import { probeHttp, probeScript, probeTcp, type ExecInTask, type ProbeResult } from './probe.ts';
import { initialStanding, judge, thresholdsOf, type Standing } from './verdict.ts';

export type { ExecInTask, ProbeResult, Target } from './probe.ts';
export { initialStanding, judge, thresholdsOf, type Outcome, type Standing, type Thresholds } from './verdict.ts';

export interface CheckOptions {
  readonly check: Check;
  /** Shown as the check's name where it has none of its own. */
  readonly name?: string;
  /** For tcp, http and grpc. */
  readonly address?: string;
  readonly port?: number;
  /** For script. */
  readonly exec?: ExecInTask;
  readonly clock: Clock;
  /** Called after each try that counts, thresholds applied; `changed` when the phase is another one than before. */
  readonly onResult: (status: CheckStatus & { output: string }, changed: boolean) => void;
  /** Another way to close it. */
  readonly signal?: AbortSignal;
}

export interface RunningCheck {
  readonly status: CheckStatus;
  /** Stops trying; a try that is under way is cut off. */
  close(): Promise<void>;
}

const DEFAULT_INTERVAL = 10_000;
const DEFAULT_TIMEOUT = 2000;
const FIRST_TRY = 50;
const LONGEST_EARLY_PAUSE = 2000;

const types = ['tcp', 'http', 'grpc', 'script'];

/** Problems with a check, each one sentence that names the field; empty when it can run. Pure. */
export function validateCheck(check: Check): string[] {
  const problems: string[] = [];
  const type = check.type ?? '';
  if (!types.includes(type)) problems.push(`type: must be one of ${types.join(', ')}`);
  if (type === 'script' && !check.command) problems.push('command: is required for a script check');
  if (type !== 'script' && (check.command || (check.args ?? []).length > 0))
    problems.push('command: only a script check has one');
  if (type === 'http' && !check.path) problems.push('path: is required for an http check');
  if (type === 'http' && check.path?.includes('://')) problems.push('path: must be a path, not a URL');
  if (check.protocol !== undefined && !['http', 'https', ''].includes(check.protocol))
    problems.push('protocol: must be http or https');
  if (check.method !== undefined && !/^[A-Za-z]*$/.test(check.method)) problems.push('method: must be an HTTP method');
  if (check.expose === true) problems.push('expose: is not built in orch yet');
  for (const key of ['interval', 'timeout'] as const) {
    const value = parseDuration(check[key]);
    if (check[key] !== undefined && (value === undefined || value < 1000)) problems.push(`${key}: must be at least 1s`);
  }
  for (const key of ['successBeforePassing', 'failuresBeforeCritical', 'failuresBeforeWarning'] as const) {
    if ((check[key] ?? 0) < 0) problems.push(`${key}: must be at least 0`);
  }
  const initial = check.initialStatus;
  if (initial && !['passing', 'warning', 'critical', 'pending'].includes(initial)) {
    problems.push('initialStatus: must be passing, warning, critical or pending');
  }
  return problems;
}

/** Starts to try, until closed. */
export function startCheck(options: CheckOptions): RunningCheck {
  const { check, clock, onResult } = options;
  const thresholds = thresholdsOf(check);
  const interval = durationOr(check.interval, DEFAULT_INTERVAL);
  const timeout = durationOr(check.timeout, DEFAULT_TIMEOUT);
  const name = check.name ?? options.name ?? `${check.type ?? ''} check`;
  const over = new AbortController();
  let standing = initialStanding(check);
  let status: CheckStatus = { name, ...(check.type === undefined ? {} : { type: check.type }), phase: standing.phase };

  const take = (result: ProbeResult): void => {
    const before: Standing = standing;
    standing = judge(before, result.outcome, thresholds);
    const changed = standing.phase !== before.phase;
    const time = changed || status.time === undefined ? { time: toTimestamp(clock.now()) } : {};
    const judged = { ...status, phase: standing.phase, output: result.output, ...time };
    status = judged;
    onResult(judged, changed);
  };

  const checkLoop = async (): Promise<void> => {
    const begun = clock.now();
    let pause = FIRST_TRY;
    let early = true;
    for (;;) {
      await sleep(clock, pause, over.signal);
      if (over.signal.aborted) return;
      const result = await probe(options, timeout, over.signal);
      if (over.signal.aborted) return;
      early &&= result.outcome === 'critical' && clock.now() - begun < interval;
      if (early) status = { ...status, output: result.output };
      else take(result);
      pause = early ? Math.min(pause * 2, LONGEST_EARLY_PAUSE, begun + interval - clock.now()) : interval;
    }
  };
  options.signal?.addEventListener('abort', () => over.abort(), { once: true });
  if (options.signal?.aborted) over.abort();
  const running = checkLoop();

  return {
    get status() {
      return status;
    },
    async close() {
      over.abort();
      await running;
    },
  };
}

async function probe(options: CheckOptions, timeout: Duration, signal: AbortSignal): Promise<ProbeResult> {
  const { check, address, port, exec } = options;
  switch (check.type) {
    case 'tcp':
    case 'http':
    case 'grpc':
      if (address === undefined || port === undefined)
        return { outcome: 'critical', output: 'the check has no address: its service has no port' };
      if (check.type === 'tcp') return probeTcp({ host: address, port }, timeout, signal);
      return (check.type === 'grpc' ? probeGrpc : probeHttp)(check, { host: address, port }, timeout, signal);
    case 'script':
      if (exec === undefined) return { outcome: 'critical', output: 'the check has no task to run in' };
      return probeScript(check, exec, timeout, signal);
    default:
      return { outcome: 'critical', output: `checks of type "${check.type ?? ''}" cannot be run` };
  }
}
