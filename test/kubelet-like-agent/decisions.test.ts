/** The pure parts of the agent, as tables: restart policy, a task's life, order of a group, health, sync, environment, services. */
import t from 'tap';
import { toTimestamp } from '../../base/index.ts';
import type { Allocation, CheckStatus, Stored, Task, TaskGroup } from '../../openapi/index.ts';
import { coordinate, type Member, type Order } from '../../kubelet-like-agent/allocation/coordinate.ts';
import {
  decideHealth,
  healthRules,
  pause,
  type HealthClock,
  type HealthRules,
} from '../../kubelet-like-agent/allocation/health.ts';
import { unsupported } from '../../kubelet-like-agent/allocation/refuse.ts';
import { clientPhase } from '../../kubelet-like-agent/allocation/status.ts';
import { agentDefaults, type AgentConfig } from '../../kubelet-like-agent/config.ts';
import { collectable } from '../../kubelet-like-agent/gc/decide.ts';
import {
  cgroupVersion,
  defaultDevice,
  fingerprint,
  inCidr,
  parseCpu,
  parseOsRelease,
  volumeOf,
  type Machine,
} from '../../kubelet-like-agent/node/fingerprint.ts';
import { computedClass, nodeStatus, specPatch, statusPatch } from '../../kubelet-like-agent/node/node-object.ts';
import { changedMeta, effectiveMeta, parseMeta } from '../../kubelet-like-agent/node/meta.ts';
import { coreStats, deviceMounts, parseCpuTimes, parseMemory } from '../../kubelet-like-agent/node/stats.ts';
import { countFailure } from '../../kubelet-like-agent/services/check-restart.ts';
import { serviceInstances, serviceProblems, serviceStatus } from '../../kubelet-like-agent/services/registrations.ts';
import { decide, type LocalAllocation } from '../../kubelet-like-agent/sync/decide.ts';
import { taskEnvironment, type NodeFacts } from '../../kubelet-like-agent/task/env.ts';
import { interpolate, interpolateAll } from '../../kubelet-like-agent/task/interpolate.ts';
import {
  newTask,
  resume,
  step,
  type Phase,
  type TaskContext,
  type TaskInput,
  type TaskRecord,
} from '../../kubelet-like-agent/task/machine.ts';
import { decideRestart, restartRules } from '../../kubelet-like-agent/task/restart.ts';

const NOW = Date.UTC(2026, 0, 1);
const minutes = (n: number): number => n * 60_000;

t.test('restart policy', async (t) => {
  const rules = { attempts: 2, interval: minutes(30), delay: 15_000, mode: 'fail' as const };
  const failure = { type: 'exit', successful: false, restartsOnSuccess: true } as const;
  const window = (count: number, ago = 0) => ({ startedAt: NOW - ago, count });
  const cases: [string, Parameters<typeof decideRestart>, ReturnType<typeof decideRestart>][] = [
    ['a first failure restarts after the delay', [rules, undefined, failure, NOW, 0], { action: 'restart', delay: 15_000, window: window(1) }],
    ['jitter adds up to a quarter', [rules, undefined, failure, NOW, 1], { action: 'restart', delay: 18_750, window: window(1) }],
    ['the second of two attempts', [rules, window(1), failure, NOW, 0], { action: 'restart', delay: 15_000, window: window(2) }],
    ['the third is one too many', [rules, window(2), failure, NOW, 0], { action: 'fail', reason: 'Exceeded allowed attempts 2 in interval 30m0s and mode is "fail"' }],
    ['a new interval counts from one', [rules, window(2, minutes(31)), failure, NOW, 0], { action: 'restart', delay: 15_000, window: window(1) }],
    ['mode delay waits for the next interval', [{ ...rules, mode: 'delay' }, window(2, minutes(10)), failure, NOW, 0], { action: 'restart', delay: minutes(20), reason: 'Exceeded allowed attempts, applying a delay', window: { startedAt: NOW - minutes(10), count: 3 } }],
    ['no attempts: fail at once', [{ ...rules, attempts: 0 }, undefined, failure, NOW, 0], { action: 'fail', reason: 'Policy allows no restarts' }],
    ['success of a service restarts it', [rules, undefined, { ...failure, successful: true }, NOW, 0], { action: 'restart', delay: 15_000, window: window(1) }],
    ['success of a batch task is the end', [rules, undefined, { type: 'exit', successful: true, restartsOnSuccess: false }, NOW, 0], { action: 'complete' }],
    ['also without attempts', [{ ...rules, attempts: 0 }, undefined, { type: 'exit', successful: true, restartsOnSuccess: false }, NOW, 0], { action: 'complete' }],
    ['a start that cannot work is not tried again', [rules, undefined, { type: 'startFailed', recoverable: false }, NOW, 0], { action: 'fail', reason: 'Error was unrecoverable' }],
    ['one that may work is', [rules, undefined, { type: 'startFailed', recoverable: true }, NOW, 0], { action: 'restart', delay: 15_000, window: window(1) }],
    ['an unhealthy task counts as a failure', [rules, window(2), { type: 'unhealthy' }, NOW, 0], { action: 'fail', reason: 'Exceeded allowed attempts 2 in interval 30m0s and mode is "fail"' }],
  ]; // prettier-ignore
  for (const [title, args, expected] of cases) t.same(decideRestart(...args), expected, title);
  t.match(restartRules(undefined, 'batch'), { attempts: 3, interval: 24 * 3600e3, mode: 'fail' });
  t.match(restartRules({ attempts: 7, delay: '1s', mode: 'delay' }, 'service'), { attempts: 7, delay: 1000, mode: 'delay' });
});

const context: TaskContext = {
  rules: { attempts: 1, interval: minutes(30), delay: 1000, mode: 'fail' },
  restartsOnSuccess: true,
  killTimeout: 5000,
  shutdownDelay: 0,
  now: NOW,
  random: 0,
};
const exit = (exitCode: number, signal = 0): TaskInput => ({
  type: 'exited',
  exit: { exitCode, signal, oomKilled: false, at: NOW },
});
const started: TaskInput = { type: 'started', handle: 'h', at: NOW };
const go: TaskInput[] = [{ type: 'go' }, { type: 'prepared' }, started];

/** Runs inputs through the machine; what a reader sees of it. */
function life(inputs: (TaskInput | Partial<TaskContext>)[]): {
  at: string;
  events: string[];
  effects: string[];
  record: TaskRecord;
} {
  let record = newTask('web', NOW);
  let now = context;
  const effects: string[] = [];
  for (const input of inputs) {
    if (!('type' in input)) {
      now = { ...now, ...input };
      continue;
    }
    const next = step(record, input, now);
    record = next.record;
    effects.push(...next.effects.map((e) => e.do));
  }
  return { at: record.phase.at, events: (record.status.events ?? []).map((e) => `${e.type}: ${e.message}`), effects, record };
}

t.test("a task's life", async (t) => {
  const cases: [string, (TaskInput | Partial<TaskContext>)[], { at: string; events: string[]; effects: string[] }][] = [
    ['starts', go, {
      at: 'running',
      events: ['Received: Task received by client', 'Task Setup: Building Task Directory', 'Started: Task started by client'],
      effects: ['prepare', 'start'],
    }],
    ['is killed by hand and restarted by policy', [...go, exit(137, 9)], {
      at: 'resting',
      events: ['Started: Task started by client', 'Terminated: Exit Code: 137, Signal: 9', 'Restarting: Task restarting in 1s'],
      effects: ['prepare', 'start', 'destroy', 'wake'],
    }],
    ['fails for good', [...go, exit(1), { now: NOW + 1000 }, { type: 'due' }, started, exit(1)], {
      at: 'dead',
      events: ['Terminated: Exit Code: 1', 'Not Restarting: Exceeded allowed attempts 1 in interval 30m0s and mode is "fail"'],
      effects: ['prepare', 'start', 'destroy', 'wake', 'start', 'destroy'],
    }],
    ['completes', [{ restartsOnSuccess: false }, ...go, exit(0)], { at: 'dead', events: ['Terminated: Exit Code: 0'], effects: ['prepare', 'start', 'destroy'] }],
    ['is stopped', [...go, { type: 'stop' }, exit(0, 2)], {
      at: 'dead',
      events: ['Killing: Sent interrupt. Waiting 5s before force killing', 'Terminated: Exit Code: 0, Signal: 2', 'Killed: Task successfully killed'],
      effects: ['prepare', 'start', 'deregister', 'kill', 'destroy'],
    }],
    ['is stopped after its shutdown delay', [{ shutdownDelay: 3000 }, ...go, { type: 'stop' }, { type: 'due' }, exit(0)], {
      at: 'dead',
      events: ['Waiting for shutdown delay: Waiting for shutdown_delay of 3s before killing the task.', 'Killing: Sent interrupt. Waiting 5s before force killing', 'Terminated: Exit Code: 0', 'Killed: Task successfully killed'],
      effects: ['prepare', 'start', 'deregister', 'wake', 'deregister', 'kill', 'destroy'],
    }],
    ['skips the delay when told to', [{ shutdownDelay: 3000 }, ...go, { type: 'stop', skipDelay: true }], {
      at: 'stopping',
      events: ['Killing: Sent interrupt. Waiting 5s before force killing'],
      effects: ['prepare', 'start', 'deregister', 'kill'],
    }],
    ['ends by itself within the delay', [{ shutdownDelay: 3000 }, ...go, { type: 'stop' }, exit(0)], {
      at: 'dead', events: ['Killed: Task successfully killed'], effects: ['prepare', 'start', 'deregister', 'wake', 'destroy'],
    }],
    ['is stopped while it starts', [...go.slice(0, 2), { type: 'stop' }, { type: 'startFailed', message: 'aborted', recoverable: true }], {
      at: 'dead',
      events: ['Killing: Sent interrupt. Waiting 5s before force killing', 'Killed: Task successfully killed'],
      effects: ['prepare', 'start', 'abortStart'],
    }],
    ['starts although it was to be stopped, and is killed', [...go.slice(0, 2), { type: 'stop' }, started, exit(0)], {
      at: 'dead', events: ['Killed: Task successfully killed'], effects: ['prepare', 'start', 'abortStart', 'kill', 'destroy'],
    }],
    ['is restarted by a user, which costs no attempt', [...go, { type: 'restart', reason: 'User requested task to restart' }, exit(0), { type: 'due' }, started, exit(1)], {
      at: 'resting',
      events: ['Restart Signaled: User requested task to restart', 'Killing: Sent interrupt. Waiting 5s before force killing', 'Terminated: Exit Code: 0', 'Restarting: Task restarting in 0s', 'Started: Task started by client', 'Terminated: Exit Code: 1', 'Restarting: Task restarting in 1s'],
      effects: ['prepare', 'start', 'deregister', 'kill', 'destroy', 'wake', 'start', 'destroy', 'wake'],
    }],
    ['is restarted for its check, which does', [...go, exit(1), { now: NOW + 1000 }, { type: 'due' }, started, { type: 'restart', reason: 'x', unhealthy: true }, exit(0)], {
      at: 'dead', events: ['Not Restarting: Exceeded allowed attempts 1 in interval 30m0s and mode is "fail"'],
      effects: ['prepare', 'start', 'destroy', 'wake', 'start', 'deregister', 'kill', 'destroy'],
    }],
    ['a stop wins over a restart under way', [...go, { type: 'restart', reason: 'x' }, { type: 'stop' }, exit(0)], {
      at: 'dead', events: ['Killed: Task successfully killed'], effects: ['prepare', 'start', 'deregister', 'kill', 'destroy'],
    }],
    ['the driver cannot', [...go.slice(0, 2), { type: 'startFailed', message: 'image "x" not found', recoverable: false }], {
      at: 'dead', events: ['Driver Failure: image "x" not found', 'Not Restarting: Error was unrecoverable'], effects: ['prepare', 'start'],
    }],
    ['stopped before its turn', [{ type: 'stop' }], { at: 'dead', events: ['Received: Task received by client', 'Killed: Task successfully killed'], effects: [] }],
  ]; // prettier-ignore
  for (const [title, inputs, expected] of cases) {
    const found = life(inputs);
    t.equal(found.at, expected.at, title);
    t.same(found.events.slice(-expected.events.length), expected.events, `${title}: events`);
    t.same(found.effects, expected.effects, `${title}: effects`);
  }
  t.equal(life([...go, exit(1)]).record.status.restarts, 1);
  t.equal(life([...go, exit(1)]).record.status.state, 'pending');
  t.same(life([...go, { type: 'stop' }, exit(137, 9)]).record.status.failed, false, 'a killed task has not failed');
  t.equal(life(Array.from({ length: 30 }, () => ({ type: 'report', message: 'x' }))).record.status.events!.length, 10);
});

t.test('late and doubled inputs change nothing', async (t) => {
  const late: TaskInput[] = [
    started,
    exit(0),
    { type: 'go' },
    { type: 'prepared' },
    { type: 'due' },
    { type: 'startFailed', message: '', recoverable: true },
  ];
  const dead = life([...go, { type: 'stop' }, exit(0)]).record;
  for (const input of [...late, { type: 'stop' } as const, { type: 'restart', reason: 'x' } as const])
    t.same(step(dead, input, context), { record: dead, effects: [] }, input.type);
  const resting = life([...go, exit(1)]).record;
  for (const input of late) t.equal(step(resting, input, context).record.phase.at, 'resting', input.type);
  t.same(
    step(resting, { type: 'due' }, context).effects.map((effect) => effect.do),
    ['wake'],
    'a timer that fires too early is set again',
  );
});

t.test('every phase is resumed from disk', async (t) => {
  const record = (phase: Phase): TaskRecord => ({ ...newTask('web', NOW), phase });
  const cases: [Phase, string[]][] = [
    [{ at: 'waiting' }, []],
    [{ at: 'preparing' }, ['prepare']],
    [{ at: 'starting' }, ['recover']],
    [{ at: 'running', handle: 1 }, ['recover']],
    [{ at: 'resting', until: NOW }, ['wake']],
    [{ at: 'stopping', step: 'killing', handle: 1, next: 'dead' }, ['recover']],
    [{ at: 'stopping', step: 'aborting', next: 'dead' }, ['recover']],
    [{ at: 'dead' }, []],
  ];
  for (const [phase, effects] of cases) t.same(resume(record(phase), true).effects.map((e) => e.do), effects, JSON.stringify(phase)); // prettier-ignore
  const killing = record({ at: 'stopping', step: 'killing', handle: 'h', next: 'dead' });
  t.same(
    step(killing, started, context).effects.map((e) => e.do),
    ['kill'],
    'a kill is sent again',
  );
  const delaying = record({ at: 'stopping', step: 'delaying', handle: 'h', until: NOW + 5, next: 'dead' });
  t.same(step(delaying, started, context).effects, [{ do: 'wake', at: NOW + 5 }], 'a delay is not begun anew');
});

const task = (name: string, more: Partial<Task> = {}): Task => ({ name, driver: 'fake', ...more });
const member = (definition: Task, at: Phase['at'] | 'failed' | 'killing', since = NOW): Member => {
  const fresh = newTask(definition.name, NOW);
  const phase: Phase =
    at === 'failed' ? { at: 'dead' }
    : at === 'killing' ? { at: 'stopping', step: 'killing', next: 'dead' }
    : at === 'running' ? { at, handle: 1 }
    : at === 'resting' ? { at, until: NOW }
    : at === 'stopping' ? { at, step: 'killing', next: 'restart' }
    : { at }; // prettier-ignore
  const state = phase.at === 'dead' ? 'dead' : phase.at === 'running' || phase.at === 'stopping' ? 'running' : 'pending';
  const begun = ['running', 'killing', 'stopping', 'dead', 'failed'].includes(at);
  return {
    task: definition,
    record: {
      ...fresh,
      phase,
      status: { ...fresh.status, state, failed: at === 'failed', ...(begun && { startedAt: toTimestamp(since) }) },
    },
  };
};
const say = (orders: Order[]): string[] =>
  orders.map((o) => `${o.order} ${o.task}${o.order === 'stop' && o.because ? ` (${o.because.type})` : ''}`);

t.test('order of a group', async (t) => {
  const pre = task('pre', { lifecycle: { hook: 'prestart' } });
  const side = task('side', { lifecycle: { hook: 'prestart', sidecar: true } });
  const main = task('main');
  const other = task('other');
  const leader = task('lead', { leader: true });
  const post = task('post', { lifecycle: { hook: 'poststart' } });
  const after = task('after', { lifecycle: { hook: 'poststop' } });
  const cases: [string, Member[], 'run' | 'stop', string[]][] = [
    ['prestart goes first', [member(pre, 'waiting'), member(main, 'waiting')], 'run', ['go pre']],
    ['main waits for it to end', [member(pre, 'running'), member(main, 'waiting')], 'run', []],
    ['and for sidecars to run', [member(pre, 'dead'), member(side, 'starting'), member(main, 'waiting')], 'run', []],
    ['then goes', [member(pre, 'dead'), member(side, 'running'), member(main, 'waiting')], 'run', ['go main']],
    ['poststart waits for main to run', [member(main, 'starting'), member(post, 'waiting')], 'run', []],
    ['poststart follows', [member(main, 'running'), member(post, 'waiting')], 'run', ['go post']],
    [
      'a failed task takes its siblings along',
      [member(main, 'failed'), member(other, 'running')],
      'run',
      ['stop other (Sibling Task Failed)'],
    ],
    ['once', [member(main, 'failed'), member(other, 'killing')], 'run', []],
    ['a failed prestart too', [member(pre, 'failed'), member(main, 'waiting')], 'run', ['stop main (Sibling Task Failed)']],
    ['a sibling that completed does not', [member(main, 'dead'), member(other, 'running')], 'run', []],
    ['a dead leader does', [member(leader, 'dead'), member(other, 'running')], 'run', ['stop other (Leader Task Dead)']],
    ['sidecars end after main', [member(side, 'running'), member(main, 'dead')], 'run', ['stop side (Main Tasks Dead)']],
    ['poststop waits for them', [member(side, 'killing'), member(main, 'dead'), member(after, 'waiting')], 'run', []],
    ['and then runs', [member(side, 'dead'), member(main, 'dead'), member(after, 'waiting')], 'run', ['go after']],
    ['poststop runs after a failure, too', [member(main, 'failed'), member(after, 'waiting')], 'run', ['go after']],
    ['a stop begins with the leader', [member(leader, 'running'), member(other, 'running')], 'stop', ['stop lead']],
    [
      'goes on with the others',
      [member(leader, 'dead'), member(other, 'running'), member(side, 'running')],
      'stop',
      ['stop other'],
    ],
    ['ends with sidecars', [member(other, 'dead'), member(side, 'running')], 'stop', ['stop side']],
    ['and poststop', [member(other, 'dead'), member(after, 'waiting')], 'stop', ['go after']],
    ['which is left to end', [member(other, 'dead'), member(after, 'running')], 'stop', []],
    ['a stop ends a task that restarts', [member(main, 'resting')], 'stop', ['stop main']],
  ];
  for (const [title, members, goal, expected] of cases) t.same(say(coordinate(members, goal, NOW)), expected, title);
  t.same(
    say(coordinate([member(main, 'running'), member(after, 'waiting')], 'stop', NOW, 'time is over')),
    ['stop main (Killing)', 'stop after (Killing)'],
    'when its time is over, what follows does not even begin',
  );
});

t.test('client status', async (t) => {
  const cases: [Member[], string, string][] = [
    [[member(task('a'), 'waiting')], 'pending', 'No tasks have started'],
    [[member(task('a'), 'resting')], 'pending', 'No tasks have started'],
    [[member(task('a'), 'running'), member(task('b'), 'dead')], 'running', 'Tasks are running'],
    [[member(task('a'), 'dead'), member(task('b'), 'dead')], 'complete', 'All tasks have completed'],
    [[member(task('a'), 'failed'), member(task('b'), 'dead')], 'failed', 'Failed tasks'],
    [[member(task('a'), 'failed'), member(task('b'), 'killing')], 'running', 'Failed tasks'],
  ];
  for (const [members, phase, description] of cases)
    t.same(clientPhase(members.map((m) => m.record)), { phase, description }, `${phase}: ${description}`);
});

t.test('health', async (t) => {
  const rules: HealthRules = { by: 'checks', minHealthyTime: 10_000, healthyDeadline: minutes(5) };
  const clock: HealthClock = { startedAt: NOW, pausedFor: 0 };
  const web = task('web');
  const pass = (since: number) => ({ passing: true, since });
  const fail = { passing: false, since: NOW };
  const reason = (text: string) => ({ state: 'unhealthy', reason: text });
  const cases: [string, Parameters<typeof decideHealth>, unknown][] = [
    ['not yet running', [rules, clock, [member(web, 'starting')], [], NOW], { state: 'undecided', wakeAt: NOW + minutes(5) }],
    ['running, not for long', [rules, clock, [member(web, 'running')], [], NOW + 5000], { state: 'undecided', wakeAt: NOW + 10_000 }],
    ['running long enough', [rules, clock, [member(web, 'running')], [], NOW + 10_000], { state: 'healthy' }],
    ['a check fails', [rules, clock, [member(web, 'running')], [fail], NOW + 10_000], { state: 'undecided', wakeAt: NOW + minutes(5) }],
    ['a check passes since later', [rules, clock, [member(web, 'running')], [pass(NOW + 7000)], NOW + 10_000], { state: 'undecided', wakeAt: NOW + 17_000 }],
    ['then healthy', [rules, clock, [member(web, 'running')], [pass(NOW + 7000)], NOW + 17_000], { state: 'healthy' }],
    ['checks do not count for task_states', [{ ...rules, by: 'taskStates' }, clock, [member(web, 'running')], [fail], NOW + 10_000], { state: 'healthy' }],
    ['a restart starts the count anew', [rules, clock, [member(web, 'running', NOW + 9000)], [], NOW + 10_000], { state: 'undecided', wakeAt: NOW + 19_000 }],
    ['a failed task', [rules, clock, [member(web, 'failed')], [], NOW], reason('Unhealthy because of failed task')],
    ['the deadline, not running', [rules, clock, [member(web, 'resting')], [], NOW + minutes(5)], reason('Task "web" not running by healthy_deadline of 5m0s')],
    ['the deadline, checks', [rules, clock, [member(web, 'running')], [fail], NOW + minutes(5)], reason('Services not healthy by healthy_deadline of 5m0s')],
    ['the deadline, too late', [rules, clock, [member(web, 'running', NOW + minutes(5) - 1000)], [], NOW + minutes(5)], reason('Task not running for min_healthy_time of 10s by healthy_deadline of 5m0s')],
    ['no deadline while an image is downloaded', [rules, { ...clock, pausedAt: NOW }, [member(web, 'starting')], [], NOW + minutes(9)], { state: 'undecided' }],
    ['the time of the download is granted', [rules, { ...clock, pausedFor: minutes(9) }, [member(web, 'running', NOW + minutes(9))], [], NOW + minutes(9) + 1], { state: 'undecided', wakeAt: NOW + minutes(9) + 10_000 }],
    ['a task that ran once may be over', [rules, clock, [member(task('init', { lifecycle: { hook: 'prestart' } }), 'dead'), member(web, 'running')], [], NOW + 10_000], { state: 'healthy' }],
    ['poststop is not waited for', [rules, clock, [member(web, 'running'), member(task('end', { lifecycle: { hook: 'poststop' } }), 'waiting')], [], NOW + 10_000], { state: 'healthy' }],
  ]; // prettier-ignore
  for (const [title, args, expected] of cases) t.same(decideHealth(...args), expected, title);
  t.same(pause({ startedAt: 0, pausedFor: 5, pausedAt: 10 }, false, 30), { startedAt: 0, pausedFor: 25 });

  const spec = alloc().spec;
  const group: TaskGroup = {
    name: 'g',
    update: { minHealthyTime: '3s', healthCheck: 'task_states' },
    migrate: { minHealthyTime: '7s' },
  };
  t.match(healthRules({ ...spec, deployment: 'd' }, group), { minHealthyTime: 3000, by: 'taskStates' });
  t.match(healthRules(spec, group), { minHealthyTime: 7000, by: 'checks' }, 'a migration is judged by the migrate block');
  t.equal(healthRules({ ...spec, deployment: 'd' }, { name: 'g', update: { healthCheck: 'manual' } }), undefined);
  t.equal(healthRules({ ...spec, jobType: 'batch' }, group), undefined);
});

function alloc(more: Partial<Stored<Allocation>['spec']> = {}, status?: Allocation['status'], name = 'a1'): Stored<Allocation> {
  return {
    apiVersion: 'orch.dev/v1',
    kind: 'Allocation',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, resourceVersion: '1', creationTimestamp: '', generation: 1 },
    spec: {
      jobName: 'web', jobUID: 'abcdefgh-1', jobVersion: 0, jobType: 'service', group: 'g', name: 'web.g[0]', index: 0, nodeName: 'n1', desired: 'run', ...more,
    },
    ...(status !== undefined && { status }),
  }; // prettier-ignore
}

t.test('sync', async (t) => {
  const local = (a: Stored<Allocation>, more: Partial<LocalAllocation> = {}): LocalAllocation => ({
    id: a.metadata.name, uid: a.metadata.uid, goal: 'run', terminal: false, allocation: a, ...more,
  }); // prettier-ignore
  const port = (value: number) => ({ resources: { ports: [{ label: 'p', value, hostIP: '10.0.0.1' }] } });
  const b = (more = {}) => alloc(more, undefined, 'b2');
  const takes = (cpu: number) => ({ resources: { cpu, memory: 10 } });
  const cases: [string, Stored<Allocation>[], LocalAllocation[], string[]][] = [
    ['nothing to do', [], [], []],
    ['a new one runs', [alloc()], [], ['run a1']],
    ['one that runs is left alone', [alloc()], [local(alloc())], []],
    ['one that ended elsewhere in time is not run again', [alloc({}, { phase: 'complete' })], [], []],
    ['one that the server believes running is run when we know nothing of it', [alloc({}, { phase: 'running' })], [], ['run a1']],
    ['a stop', [alloc({ desired: 'stop' })], [local(alloc())], ['stop a1']],
    ['an eviction', [alloc({ desired: 'evict' })], [local(alloc())], ['stop a1']],
    ['once', [alloc({ desired: 'stop' })], [local(alloc(), { goal: 'stop' })], []],
    ['stopped before it began here', [alloc({ desired: 'stop' })], [], ['reportNeverStarted a1']],
    ['and known to have', [alloc({ desired: 'stop' }, { phase: 'complete' })], [], []],
    ['a new version', [alloc({ jobVersion: 1 })], [local(alloc())], ['update a1']],
    ['a new deployment', [alloc({ deployment: 'd' })], [local(alloc())], ['update a1']],
    ['not for what only others read', [alloc({ nextAllocation: 'x', evaluation: 'y' })], [local(alloc())], []],
    ['deleted on the server', [], [local(alloc())], ['stop a1']],
    ['deleted and ended', [], [local(alloc(), { terminal: true })], ['forget a1']],
    ['ended is not stopped', [alloc({ desired: 'stop' })], [local(alloc(), { terminal: true })], []],
    ['a replacement waits for what it replaces', [alloc({ desired: 'stop' }), b({ previousAllocation: 'a1' })], [local(alloc(), { goal: 'stop' })], ['wait b2']],
    ['and runs then', [alloc({ desired: 'stop' }), b({ previousAllocation: 'a1' })], [local(alloc(), { goal: 'stop', terminal: true })], ['run b2']],
    ['what replaces one that never began waits for what that replaces', [alloc({ desired: 'stop' }), alloc({ desired: 'stop', previousAllocation: 'a1' }, { phase: 'complete' }, 'm1'), b({ previousAllocation: 'm1' })], [local(alloc(), { goal: 'stop' })], ['wait b2']],
    ['what displaces another waits for it', [alloc({ desired: 'evict', preemptedByAllocation: 'b2' }), b()], [local(alloc(), { goal: 'stop' })], ['wait b2']],
    ['room that is still in use is waited for', [alloc({ desired: 'stop', ...takes(600) }, { phase: 'lost' }), b(takes(600))], [local(alloc(takes(600)), { goal: 'stop' })], ['wait b2']],
    ['where it fits beside it starts', [alloc({ desired: 'stop', ...takes(600) }, { phase: 'lost' }), b(takes(400))], [local(alloc(takes(600)), { goal: 'stop' })], ['run b2']],
    ['what starts now counts', [alloc({ desired: 'stop', ...takes(400) }, { phase: 'lost' }), alloc(takes(400), undefined, 'c3'), b(takes(400))], [local(alloc(takes(400)), { goal: 'stop' })], ['run c3', 'wait b2']],
    ['the server is believed where nothing ends', [alloc(takes(600)), b(takes(600))], [local(alloc(takes(600)))], ['run b2']],
    ['a port is waited for', [alloc({ desired: 'stop', ...port(80) }), b(port(80))], [local(alloc(port(80)), { goal: 'stop' })], ['wait b2']],
    ['another is not', [alloc({ desired: 'stop', ...port(80) }), b(port(81))], [local(alloc(port(80)), { goal: 'stop' })], ['run b2']],
    ['another object of the name', [{ ...alloc(), metadata: { ...alloc().metadata, uid: 'other' } }], [local(alloc())], ['stop a1']],
  ]; // prettier-ignore
  for (const [title, desired, locals, expected] of cases)
    t.same(decide(desired, locals, { cpuMHz: 1000, memoryMB: 1000 }).map((s) => `${s.do} ${'id' in s ? s.id : s.allocation.metadata.name}`), expected, title); // prettier-ignore
});

const node: NodeFacts = {
  id: 'n1', name: 'node1', datacenter: 'dc1', nodeClass: 'big', nodePool: 'default', meta: { rack: 'r1' }, attributes: { 'kernel.name': 'linux' }, address: '10.0.0.9',
}; // prettier-ignore

t.test('interpolation', async (t) => {
  const variables = {
    env: { NOMAD_PORT_db: '1234', A_B: 'x' },
    node: { 'attr.kernel.name': 'linux', 'meta.rack': 'r1', 'node.unique.id': 'n1' },
  };
  const cases: [string, string][] = [
    ['plain', 'plain'],
    ['port ${NOMAD_PORT_db}!', 'port 1234!'],
    ['${ NOMAD_PORT_db }', '1234'],
    ['${env["NOMAD_PORT_db"]} ${env.A_B}', '1234 x'],
    ['${attr.kernel.name}/${meta.rack}/${node.unique.id}', 'linux/r1/n1'],
    ['${HOME} ${request.method} $NOMAD_PORT_db', '${HOME} ${request.method} $NOMAD_PORT_db'],
    ['${constructor} ${__proto__}', '${constructor} ${__proto__}'],
    ['${NOMAD_PORT_db', '${NOMAD_PORT_db'],
  ];
  for (const [text, expected] of cases) t.equal(interpolate(text, variables), expected, text);
  t.same(interpolateAll({ a: ['${A_B}', 1, { b: '${A_B}' }], '${A_B}': null }, variables), {
    a: ['x', 1, { b: 'x' }],
    '${A_B}': null,
  });
});

t.test('environment', async (t) => {
  const allocation = alloc({
    resources: {
      tasks: [{ name: 'redis', cpu: 500, memory: 256, memoryMax: 512, cores: [1, 3] }],
      ports: [
        { label: 'http', value: 20001, to: 8080, hostIP: '10.0.0.1' },
        { label: 'my-db', value: 20002, hostIP: '10.0.0.1', task: 'redis' },
        { label: 'x', value: 20003, hostIP: 'fd00::1', task: 'other' },
      ],
    },
  });
  const redis = task('redis', {
    env: { GREETING: 'on ${NOMAD_ADDR_http} in ${node.datacenter}', 'odd-name': '1', NOMAD_DC: 'mine' },
    meta: { who: 'task' },
  });
  const { env, variables } = taskEnvironment({
    allocation,
    job: { id: 'web', name: 'Web', meta: { who: 'job', job: '1' } },
    group: { name: 'g', meta: { who: 'group', grp: '2' } },
    task: redis,
    node,
    dirs: { alloc: '/alloc', local: '/local', secrets: '/secrets' },
  });
  t.match(env, {
    NOMAD_ALLOC_DIR: '/alloc', NOMAD_TASK_DIR: '/local', NOMAD_SECRETS_DIR: '/secrets', NOMAD_ALLOC_ID: 'a1', NOMAD_ALLOC_NAME: 'web.g[0]', NOMAD_ALLOC_INDEX: '0',
    NOMAD_TASK_NAME: 'redis', NOMAD_GROUP_NAME: 'g', NOMAD_JOB_ID: 'web', NOMAD_JOB_NAME: 'Web', NOMAD_REGION: 'global', NOMAD_NAMESPACE: 'default',
    NOMAD_CPU_LIMIT: '500', NOMAD_CPU_CORES: '1,3', NOMAD_MEMORY_LIMIT: '256', NOMAD_MEMORY_MAX_LIMIT: '512',
    NOMAD_IP_http: '10.0.0.1', NOMAD_PORT_http: '8080', NOMAD_ADDR_http: '10.0.0.1:20001', NOMAD_HOST_PORT_http: '20001', NOMAD_HOST_ADDR_http: '10.0.0.1:20001',
    NOMAD_PORT_my_db: '20002', NOMAD_ADDR_redis_my_db: '10.0.0.1:20002', NOMAD_ADDR_other_x: '[fd00::1]:20003',
    NOMAD_META_WHO: 'task', NOMAD_META_who: 'task', NOMAD_META_JOB: '1', NOMAD_META_GRP: '2',
    GREETING: 'on 10.0.0.1:20001 in dc1', odd_name: '1', NOMAD_DC: 'mine',
  }); // prettier-ignore
  t.notOk('NOMAD_PORT_x' in env, "a sibling's port is not its own");
  t.notOk(Object.keys(env).some((key) => key.includes('-')));
  t.equal(interpolate('${NOMAD_PORT_my-db}', variables), '20002', 'names that a shell cannot hold can be interpolated');
});

t.test('services and checks', async (t) => {
  const allocation = alloc({ resources: { ports: [{ label: 'http', value: 20001, to: 80, hostIP: '10.0.0.1' }] }, canary: true });
  const group: TaskGroup = {
    name: 'g',
    services: [{ name: 'web-${NOMAD_ALLOC_INDEX}', port: 'http', tags: ['a'], canaryTags: ['canary'], checks: [{ type: 'http', path: '/', interval: '2s', timeout: '1s' }] }],
    tasks: [
      task('main', {
        services: [
          { name: 'inner', port: 'http', addressMode: 'driver', checks: [{ name: 's', type: 'script', command: 'true', checkRestart: { limit: 3, grace: '2s' } }] },
          { port: '9000' },
          { name: 'bad', port: 'nope' },
        ],
      }),
    ],
  }; // prettier-ignore
  const variables = () => ({ env: { NOMAD_ALLOC_INDEX: '0' }, node: {} });
  const input = { allocation, group, node, variables, addresses: { main: '172.17.0.2' } };
  const [web, inner, literal] = serviceInstances(input);
  t.match(web, {
    spec: { serviceName: 'web-0', address: '10.0.0.1', port: 20001, tags: ['canary'], jobName: 'web', allocation: 'a1' },
    tasks: ['main'],
  });
  t.match(web!.checks, [{ check: { name: 'service: "web-0" check' }, address: '10.0.0.1', port: 20001, task: 'main' }]);
  t.match(inner, {
    spec: { address: '172.17.0.2', port: 80, task: 'main' },
    checks: [{ task: 'main', restart: { limit: 3, grace: 2000 } }],
  });
  t.match(literal, { spec: { serviceName: 'web-g-main', address: '10.0.0.9', port: 9000 } });
  t.equal(serviceInstances(input).length, 3, 'one that cannot be resolved is left out');
  t.same(serviceProblems(group, allocation.spec.resources!.ports!), [
    'service "bad" refers to port "nope", which the group does not have',
  ]);
  t.equal(serviceInstances({ ...input, addresses: {} }).length, 2, 'no address of its own yet');
  t.equal(serviceInstances(input)[0]!.name, web!.name, 'names follow from what they name');

  const runs = [member(group.tasks![0]!, 'running')];
  const result = (phase: CheckStatus['phase']): CheckStatus => ({ name: 'c', phase });
  const cases: [Member[], CheckStatus[], string][] = [
    [runs, [], 'passing'],
    [runs, [result('passing'), result('warning')], 'warning'],
    [runs, [result('passing'), result('critical')], 'critical'],
    [runs, [result('pending')], 'critical'],
    [[member(group.tasks![0]!, 'resting')], [result('passing')], 'critical'],
  ];
  for (const [members, results, phase] of cases) t.equal(serviceStatus(web!, members, results).phase, phase);
});

t.test('check_restart counts failures in a row, past the grace', async (t) => {
  const rule = { limit: 3, grace: 2000, ignoreWarnings: false };
  const run = (phases: CheckStatus['phase'][], now = NOW + 5000, r = rule) =>
    phases.reduce((s, p) => (s.restart ? s : countFailure(r, s.failures, p, NOW, now)), { failures: 0, restart: false });
  t.same(run(['critical', 'critical']), { failures: 2, restart: false });
  t.same(run(['critical', 'critical', 'warning']), { failures: 0, restart: true });
  t.same(run(['critical', 'critical', 'passing', 'critical']), { failures: 1, restart: false });
  t.same(run(['critical', 'critical', 'critical'], NOW + 1000), { failures: 0, restart: false }, 'within the grace');
  t.same(run(['warning', 'warning', 'warning'], NOW + 5000, { ...rule, ignoreWarnings: true }), { failures: 0, restart: false });
});

t.test('what is not built is refused by name', async (t) => {
  const group: TaskGroup = { name: 'g', networks: [{ mode: 'bridge' }] };
  t.same(unsupported({ name: 'g' }, task('ok'), 'raw_exec'), []);
  const bad = task('x', { vault: {} });
  t.same(unsupported(group, bad, 'raw_exec'), [
    'vault is not supported',
    'network mode "bridge" is not supported by driver raw_exec',
  ]);
  for (const name of ['../x', '..', '.run', 'alloc', 'logs', 'a/b'])
    t.match(unsupported({ name: 'g' }, task(name), 'docker')[0], /cannot be the name/, name);
});

t.test('directories are collected when gone, too many, or the disk is full', async (t) => {
  const f = (id: string, finishedAt: number, known = true, reported = true) => ({ id, finishedAt, known, reported });
  const limits = { maxAllocs: 3, diskUsagePercent: 80 };
  const ids = (...args: Parameters<typeof collectable>) => collectable(...args).map((c) => c.id);
  t.same(ids([f('a', 1), f('b', 2)], 1, 10, limits), []);
  t.same(ids([f('b', 2), f('a', 1)], 2, 10, limits), ['a'], 'the oldest goes');
  t.same(ids([f('a', 1, true, false), f('b', 2)], 2, 10, limits), ['b'], 'not before it is reported');
  t.same(ids([f('a', 1, false)], 0, 10, limits), ['a'], 'unknown to the server');
  t.same(ids([f('a', 1), f('b', 2), f('c', 3)], 0, 81, limits), ['a', 'b'], 'half of them');
});

const config: AgentConfig = { ...agentDefaults, dataDir: '/data', version: '0.1.0' };
const machine: Machine = {
  arch: 'x64', hostname: 'node1', release: '6.1.0', cores: 2, memoryBytes: 8 * 2 ** 30, bootId: 'boot', maxFrequency: undefined,
  cpuInfo: 'processor\t: 0\nmodel name\t: AMD EPYC\ncpu MHz\t\t: 2445.428\n',
  osRelease: 'NAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n',
  route: 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth1\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\neth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n',
  mounts: '20 1 254:0 / / rw - ext4 /dev/vda rw\n21 20 0:1 / /data/x rw - tmpfs tmpfs rw\n33 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
  interfaces: {
    lo: [{ address: '127.0.0.1', family: 'IPv4', netmask: '', mac: '', internal: true, cidr: '127.0.0.1/8' }],
    eth0: [
      { address: '192.0.2.2', family: 'IPv4', netmask: '', mac: '', internal: false, cidr: '192.0.2.2/24' },
      { address: 'fe80::1', family: 'IPv6', netmask: '', mac: '', internal: false, cidr: 'fe80::1/64', scopeid: 1 },
    ],
  },
  disk: { path: '/data', totalBytes: 100 * 2 ** 30, freeBytes: 40 * 2 ** 30 },
  speedOf: () => undefined,
}; // prettier-ignore

t.test('fingerprint', async (t) => {
  const found = fingerprint(machine, config);
  t.match(found.attributes, {
    'cpu.arch': 'amd64', 'cpu.numcores': '2', 'cpu.frequency': '2445', 'cpu.totalcompute': '4890', 'cpu.modelname': 'AMD EPYC', 'kernel.name': 'linux', 'kernel.version': '6.1.0',
    'memory.totalbytes': '8589934592', 'os.name': 'debian', 'os.version': '12', 'unique.hostname': 'node1', 'unique.network.ip-address': '192.0.2.2',
    'unique.storage.volume': '/dev/vda', 'unique.storage.bytestotal': String(100 * 2 ** 30), 'unique.cgroup.version': 'v2',
  }); // prettier-ignore
  t.same(found.resources, { cpuMHz: 4890, cores: 2, memoryMB: 8192, diskMB: 40960, networks: [{ device: 'eth0', ip: '192.0.2.2', hostNetwork: 'default', speedMbits: 1000 }] }); // prettier-ignore
  t.match(fingerprint(machine, { ...config, cpuTotalCompute: 9000, memoryTotalMB: 100, networkInterface: 'lo' }).resources, {
    cpuMHz: 9000,
    memoryMB: 100,
    networks: [{ ip: '127.0.0.1' }],
  });
  t.match(fingerprint(machine, { ...config, hostNetworks: { inner: { cidr: '192.0.2.0/24' } } }).resources.networks, [
    {},
    { hostNetwork: 'inner', ip: '192.0.2.2' },
  ]);
  t.throws(() => fingerprint(machine, { ...config, networkInterface: 'nope' }), /nope does not exist/);
  t.same(parseCpu({ cpuInfo: '', maxFrequency: '3600000\n' }), { model: undefined, frequency: 3600 });
  t.same(parseOsRelease(''), { name: undefined, version: undefined });
  t.equal(defaultDevice('x\n'), undefined);
  t.equal(volumeOf(machine.mounts, '/data/x/y'), 'tmpfs');
  t.equal(cgroupVersion('30 24 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu'), 'v1');
  t.ok(inCidr('10.1.2.3', '10.0.0.0/8') && !inCidr('11.1.2.3', '10.0.0.0/8') && inCidr('1.2.3.4', '0.0.0.0/0'));
  const early = parseCpuTimes('cpu  10 0 20 60 10 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0\nintr 1');
  t.match(early.get('cpu'), { busy: 30, total: 100 });
  t.same(coreStats(early, parseCpuTimes('cpu 1\ncpu0 30 10 20 30 10 0 0 0\ncpu1 9')), [
    { name: 'cpu0', userPercent: 40, systemPercent: 20, idlePercent: 30 },
  ]);
  t.same(parseMemory('MemTotal:  100 kB\nMemFree: 1 kB\nMemAvailable:   40 kB\n'), {
    totalBytes: 102400,
    availableBytes: 40960,
    freeBytes: 1024,
  });
  const mounts = [
    '21 1 8:1 / / rw - ext4 /dev/vda rw',
    '22 21 0:5 / /proc rw - proc proc rw',
    '23 21 8:1 /d /var/lib/my\\040data rw shared:1 - ext4 /dev/vda rw',
    '24 21 8:2 / /mnt rw - ext4 /dev/vdb rw',
    '25 24 0:9 / /mnt rw - tmpfs tmpfs rw',
  ];
  t.same(deviceMounts(mounts.join('\n')), [
    { device: '/dev/vda', mountPoint: '/' },
    { device: '/dev/vda', mountPoint: '/var/lib/my data' },
  ]);
});

t.test('metadata that is set while the agent runs', (t) => {
  const fixed = { rack: 'r1', os: 'x' };
  const set = changedMeta(fixed, {}, { rack: 'r2', zone: 'a', os: null });
  t.same(set, { rack: 'r2', zone: 'a', os: null });
  t.same(effectiveMeta(fixed, set), { rack: 'r2', zone: 'a' });
  t.same(changedMeta(fixed, set, { zone: null, os: 'y' }), { rack: 'r2', os: 'y' });
  for (const bad of [null, [], { 'a b': 'x' }, { '': 'x' }, { a: 1 }]) t.throws(() => parseMeta(bad), /meta/);
  t.end();
});

t.test('the Node object follows the configuration, and nothing that belongs to people', async (t) => {
  const found = fingerprint(machine, config);
  const stored = (spec: object) =>
    ({ ...alloc(), spec: { name: 'node1', datacenter: 'dc1', nodePool: 'default', ...spec } }) as unknown as Parameters<
      typeof specPatch
    >[0];
  t.equal(specPatch(stored({ eligibility: 'ineligible', drain: {} }), config, 'node1'), undefined);
  t.same(
    specPatch(
      stored({ datacenter: 'dc2', nodeClass: 'x', meta: { old: '1', same: '2' } }),
      { ...config, meta: { same: '2', new: '3' } },
      'node1',
    ),
    {
      spec: { datacenter: 'dc1', nodeClass: null, meta: { new: '3', old: null } },
    },
  );
  const drivers = {
    docker: { detected: true, healthy: true, attributes: { 'driver.docker.version': '20' } },
    raw_exec: { detected: false, healthy: false },
  };
  const status = nodeStatus({ config, fingerprint: found, drivers, httpAddress: '127.0.0.1:1' });
  t.match(status.attributes, { 'driver.docker': '1', 'driver.docker.version': '20' });
  t.notOk(status.attributes!['driver.raw_exec']);
  t.equal(statusPatch({ phase: 'ready', ...status }, status), undefined);
  t.same(statusPatch({ ...status, attributes: { ...status.attributes, gone: '1' } }, status), {
    status: { attributes: { gone: null, ...status.attributes } },
  });

  const same = computedClass(
    { ...config, meta: { 'unique.x': '1' } },
    fingerprint({ ...machine, hostname: 'other', bootId: 'x' }, config),
    drivers,
  );
  t.equal(same, status.computedClass, 'what is unique does not matter');
  t.not(computedClass({ ...config, meta: { x: '1' } }, found, drivers), status.computedClass);
  t.not(computedClass(config, found, { ...drivers, docker: { detected: true, healthy: false } }), status.computedClass);
});
