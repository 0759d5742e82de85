/**
 * The life of a task as a state machine. `step` is pure: a record and an input give the next record and what to do about it;
 * `runner.ts` does that and comes back with inputs. The record is what is kept on disk, so `resume` continues from any phase
 * after the agent was killed.
 *
 *     waiting ─go─► preparing ─► starting ─► running ─exit─► resting ─► starting …
 *                       │            │          │ stop          │
 *                       ▼            ▼          ▼               ▼
 *                     dead ◄──── stopping (aborting, delaying, killing) ─── then: dead, or restart
 */
import { toTimestamp, type Duration, type Instant } from '../../base/index.ts';
import type { TaskEvent, TaskState } from '../../openapi/index.ts';
import type { ExitResult, Json } from '../drivers/driver.ts';
import { appendEvents, taskEvents } from './events.ts';
import { decideRestart, type RestartCause, type RestartRules, type RestartWindow } from './restart.ts';

export type Phase =
  /** For its turn: the group's lifecycle order. */
  | { readonly at: 'waiting' }
  /** Its directories are made. */
  | { readonly at: 'preparing' }
  /** The driver was asked. Restored from disk: a run may exist that nobody noted. */
  | { readonly at: 'starting' }
  | { readonly at: 'running'; readonly handle: Json }
  /** Waits to be started again. */
  | { readonly at: 'resting'; readonly until: Instant }
  | {
      readonly at: 'stopping';
      /** aborting: a start is under way. delaying: the shutdown delay runs. killing: the signal was sent. */
      readonly step: 'aborting' | 'delaying' | 'killing';
      readonly handle?: Json;
      readonly until?: Instant;
      readonly next: AfterStop;
    }
  | { readonly at: 'dead' };

/** What a stop is for. `unhealthy` counts as a failed attempt, `restart` does not. */
export type AfterStop = 'dead' | 'restart' | 'unhealthy';

/** Everything the agent knows of a task; kept on disk. */
export interface TaskRecord {
  /** As users see it, in the Allocation's status. */
  readonly status: TaskState;
  readonly phase: Phase;
  readonly window?: RestartWindow;
  readonly digest?: string;
  /** The address in its own network namespace. */
  readonly address?: string;
  /** The last run has ended, but what is left of it (a container) was not removed yet. */
  readonly remains?: Json;
}

export type TaskInput =
  | { readonly type: 'go' }
  | { readonly type: 'prepared' }
  /** It can never run as it is: directories, validation, what is not supported. */
  | { readonly type: 'unfit'; readonly event: TaskEvent }
  | { readonly type: 'report'; readonly message: string; readonly details?: Record<string, string> }
  | { readonly type: 'started'; readonly handle: Json; readonly at: Instant; readonly digest?: string; readonly address?: string }
  | { readonly type: 'startFailed'; readonly message: string; readonly recoverable: boolean; readonly event?: TaskEvent }
  | { readonly type: 'exited'; readonly exit: ExitResult }
  /** Nothing is left of the ended run. */
  | { readonly type: 'destroyed' }
  /** The instant that the phase waits for has come. */
  | { readonly type: 'due' }
  | { readonly type: 'stop'; readonly because?: TaskEvent; readonly skipDelay?: boolean }
  | { readonly type: 'restart'; readonly reason: string; readonly unhealthy?: boolean }
  /** Something worth telling that changes nothing. */
  | { readonly type: 'note'; readonly event: TaskEvent };

export type TaskEffect =
  | { readonly do: 'prepare' }
  | { readonly do: 'start' }
  /** Find the run again; `handle` undefined: one may exist though it was never noted. */
  | { readonly do: 'recover'; readonly handle?: Json }
  | { readonly do: 'abortStart' }
  | { readonly do: 'deregister' }
  | { readonly do: 'kill' }
  /** Remove what is left of the ended run. */
  | { readonly do: 'destroy' }
  | { readonly do: 'wake'; readonly at: Instant };

/** What the job says about this task, and the present. */
export interface TaskContext {
  readonly rules: RestartRules;
  readonly restartsOnSuccess: boolean;
  readonly killTimeout: Duration;
  readonly shutdownDelay: Duration;
  readonly now: Instant;
  /** From 0 to 1. */
  readonly random: number;
}

export interface Step {
  readonly record: TaskRecord;
  readonly effects: readonly TaskEffect[];
}

export function newTask(name: string, now: Instant): TaskRecord {
  return {
    status: { name, state: 'pending', failed: false, restarts: 0, events: [taskEvents.received(now)] },
    phase: { at: 'waiting' },
  };
}

export const isDead = (record: TaskRecord): boolean => record.phase.at === 'dead';
export const isFailed = (record: TaskRecord): boolean => isDead(record) && record.status.failed === true;

/** One input to one task. Inputs that the phase has no use for change nothing: they come late or twice. */
export function step(record: TaskRecord, input: TaskInput, context: TaskContext): Step {
  switch (input.type) {
    case 'note':
      return stay(note(record, input.event));
    case 'report':
      return stay(note(record, taskEvents.driver(context.now, input.message, input.details)));
    case 'go':
      if (record.phase.at !== 'waiting') return stay(record);
      return move(note(record, taskEvents.setup(context.now)), { at: 'preparing' }, [{ do: 'prepare' }]);
    case 'prepared':
      if (record.phase.at !== 'preparing') return stay(record);
      return move(record, { at: 'starting' }, [{ do: 'start' }]);
    case 'unfit':
      if (isDead(record) || record.phase.at === 'stopping') return stay(record);
      return clean(die(note(withRemains(record), input.event), true, context.now));
    case 'started':
      return started(record, input, context);
    case 'startFailed':
      return startFailed(record, input, context);
    case 'exited':
      return exited(record, input.exit, context);
    case 'destroyed': {
      const { remains: _, ...clean } = record;
      return stay(clean);
    }
    case 'due':
      return due(record, context);
    case 'stop':
      return stop(record, input, context);
    case 'restart':
      return restart(record, input, context);
  }
}

/** How to go on with a record from disk. `sameBoot` false: the machine was restarted, so no run can be left. */
export function resume(record: TaskRecord, sameBoot: boolean): Step {
  return clean(resumePhase(record, sameBoot));
}

function resumePhase(record: TaskRecord, sameBoot: boolean): Step {
  const { phase } = record;
  switch (phase.at) {
    case 'waiting':
    case 'dead':
      return stay(record);
    case 'preparing':
      return { record, effects: [{ do: 'prepare' }] };
    case 'starting':
      return { record, effects: [sameBoot ? { do: 'recover' } : { do: 'start' }] };
    case 'running':
      return { record, effects: [{ do: 'recover', handle: phase.handle }] };
    case 'resting':
      return { record, effects: [{ do: 'wake', at: phase.until }] };
    case 'stopping':
      return {
        record,
        effects: [phase.handle === undefined ? { do: 'recover' } : { do: 'recover', handle: phase.handle }],
      };
  }
}

function started(record: TaskRecord, input: TaskInput & { type: 'started' }, context: TaskContext): Step {
  const { phase } = record;
  const found: TaskRecord = {
    ...record,
    ...(input.digest !== undefined && { digest: input.digest }),
    ...(input.address !== undefined && { address: input.address }),
  };
  if (phase.at === 'starting') {
    const running = note(found, taskEvents.started(input.at));
    return move(
      { ...running, status: { ...running.status, state: 'running', startedAt: toTimestamp(input.at) } },
      { at: 'running', handle: input.handle },
    );
  }
  // Found again after the agent was away.
  if (phase.at === 'running') return move(found, { ...phase, handle: input.handle });
  if (phase.at !== 'stopping') return stay(record);
  if (phase.step === 'delaying' && phase.until !== undefined && phase.until > context.now)
    return move(found, { ...phase, handle: input.handle }, [{ do: 'wake', at: phase.until }]);
  return move(found, { ...phase, step: 'killing', handle: input.handle }, [{ do: 'kill' }]);
}

function startFailed(record: TaskRecord, input: TaskInput & { type: 'startFailed' }, context: TaskContext): Step {
  const { phase } = record;
  if (phase.at === 'stopping' && phase.step === 'aborting') return finishStop(record, phase.next, context);
  if (phase.at !== 'starting') return stay(record);
  const failed = note(record, input.event ?? taskEvents.driverFailure(context.now, input.message));
  return ended(failed, { type: 'startFailed', recoverable: input.recoverable }, context);
}

function exited(record: TaskRecord, exit: ExitResult, context: TaskContext): Step {
  const { phase } = record;
  if (phase.at !== 'running' && phase.at !== 'stopping') return stay(record);
  const { exitCode: _code, signal: _signal, oomKilled: _oom, ...status } = record.status;
  const after = note(
    {
      ...withRemains(record),
      status: {
        ...status,
        ...(exit.exitCode >= 0 && { exitCode: exit.exitCode }),
        ...(exit.signal !== 0 && { signal: exit.signal }),
        ...(exit.oomKilled && { oomKilled: true }),
      },
    },
    taskEvents.terminated(exit.at, exit),
  );
  if (phase.at === 'stopping') {
    return clean(finishStop(after, phase.next, context));
  }
  const successful = exit.exitCode === 0 && exit.signal === 0 && !exit.oomKilled;
  const cause: RestartCause = { type: 'exit', successful, restartsOnSuccess: context.restartsOnSuccess };
  return clean(ended(after, cause, context));
}

function due(record: TaskRecord, context: TaskContext): Step {
  const { phase } = record;
  if (phase.at === 'resting') {
    // Timers and the clock do not go alike: one may fire a millisecond early, and the clock may be set back.
    if (context.now < phase.until) return { record, effects: [{ do: 'wake', at: phase.until }] };
    return move(record, { at: 'starting' }, [{ do: 'start' }]);
  }
  if (phase.at === 'stopping' && phase.step === 'delaying') return kill(record, phase.handle, phase.next, context);
  return stay(record);
}

function stop(record: TaskRecord, input: TaskInput & { type: 'stop' }, context: TaskContext): Step {
  const { phase } = record;
  if (phase.at === 'dead') return stay(record);
  if (phase.at === 'stopping') {
    const final: Phase = { ...phase, next: 'dead' };
    if (phase.step === 'delaying' && input.skipDelay) return kill(record, phase.handle, 'dead', context);
    return phase.next === 'dead' ? stay(record) : move(record, final);
  }
  const told = input.because === undefined ? record : note(record, input.because);
  switch (phase.at) {
    case 'waiting':
    case 'preparing':
    case 'resting':
      return die(note(told, taskEvents.killed(context.now)), false, context.now);
    case 'starting':
      return move(
        note(told, taskEvents.killing(context.now, context.killTimeout)),
        { at: 'stopping', step: 'aborting', next: 'dead' },
        [{ do: 'abortStart' }],
      );
    case 'running': {
      if (context.shutdownDelay <= 0 || input.skipDelay) return kill(told, phase.handle, 'dead', context);
      const until = context.now + context.shutdownDelay;
      const delayed = note(told, taskEvents.waitingForShutdownDelay(context.now, context.shutdownDelay));
      return move(delayed, { at: 'stopping', step: 'delaying', handle: phase.handle, until, next: 'dead' }, [
        { do: 'deregister' },
        { do: 'wake', at: until },
      ]);
    }
  }
}

function restart(record: TaskRecord, input: TaskInput & { type: 'restart' }, context: TaskContext): Step {
  const { phase } = record;
  const told = note(record, taskEvents.restartSignaled(context.now, input.reason));
  if (phase.at === 'resting') return move(told, { at: 'starting' }, [{ do: 'start' }]);
  if (phase.at !== 'running') return stay(record);
  return kill(told, phase.handle, input.unhealthy ? 'unhealthy' : 'restart', context);
}

function kill(record: TaskRecord, handle: Json | undefined, next: AfterStop, context: TaskContext): Step {
  return move(
    note(record, taskEvents.killing(context.now, context.killTimeout)),
    { at: 'stopping', step: 'killing', next, ...(handle !== undefined && { handle }) },
    [{ do: 'deregister' }, { do: 'kill' }],
  );
}

function finishStop(record: TaskRecord, next: AfterStop, context: TaskContext): Step {
  switch (next) {
    case 'dead':
      return die(note(record, taskEvents.killed(context.now)), false, context.now);
    case 'restart':
      return rest(record, 0, undefined, context);
    case 'unhealthy':
      return ended(record, { type: 'unhealthy' }, context);
  }
}

/** The run is over; the restart policy decides what follows. */
function ended(record: TaskRecord, cause: RestartCause, context: TaskContext): Step {
  const verdict = decideRestart(context.rules, record.window, cause, context.now, context.random);
  switch (verdict.action) {
    case 'restart':
      return rest({ ...record, window: verdict.window }, verdict.delay, verdict.reason, context);
    case 'complete':
      return die(record, false, context.now);
    case 'fail':
      return die(note(record, taskEvents.notRestarting(context.now, verdict.reason)), true, context.now);
  }
}

function rest(record: TaskRecord, delay: Duration, reason: string | undefined, context: TaskContext): Step {
  const told = note(record, taskEvents.restarting(context.now, delay, reason));
  const until = context.now + Math.round(delay);
  const status: TaskState = {
    ...told.status,
    state: 'pending',
    restarts: (told.status.restarts ?? 0) + 1,
    lastRestart: toTimestamp(context.now),
  };
  return move({ ...told, status }, { at: 'resting', until }, [{ do: 'wake', at: until }]);
}

function die(record: TaskRecord, failed: boolean, now: Instant): Step {
  return move({ ...record, status: { ...record.status, state: 'dead', failed, finishedAt: toTimestamp(now) } }, { at: 'dead' });
}

/** The record with the handle of its run kept as what is to be removed. */
function withRemains(record: TaskRecord): TaskRecord {
  const handle = record.phase.at === 'running' || record.phase.at === 'stopping' ? record.phase.handle : undefined;
  return handle === undefined ? record : { ...record, remains: handle };
}

/** Removes what is left of an ended run first. */
const clean = (next: Step): Step =>
  next.record.remains === undefined ? next : { ...next, effects: [{ do: 'destroy' }, ...next.effects] };

const stay = (record: TaskRecord): Step => ({ record, effects: [] });
const move = (record: TaskRecord, phase: Phase, effects: readonly TaskEffect[] = []): Step => ({
  record: { ...record, phase },
  effects,
});
const note = (record: TaskRecord, event: TaskEvent): TaskRecord => ({
  ...record,
  status: { ...record.status, events: appendEvents(record.status.events, [event]) },
});
