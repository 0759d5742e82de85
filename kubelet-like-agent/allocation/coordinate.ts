import type { Instant } from '../../base/index.ts';
import type { Task, TaskEvent } from '../../openapi/index.ts';
import { taskEvents } from '../task/events.ts';
import { isDead, isFailed, type TaskRecord } from '../task/machine.ts';

/** When in the life of an allocation a task runs. */
export type Role = 'prestart' | 'prestartSidecar' | 'main' | 'poststart' | 'poststartSidecar' | 'poststop';

export function roleOf(task: Task): Role {
  const { hook, sidecar } = task.lifecycle ?? {};
  if (hook === 'prestart') return sidecar ? 'prestartSidecar' : 'prestart';
  if (hook === 'poststart') return sidecar ? 'poststartSidecar' : 'poststart';
  return hook === 'poststop' ? 'poststop' : 'main';
}

/** Services run for good; batch tasks and what runs once around the main tasks end with success. */
export function restartsOnSuccess(task: Task, jobType: string | undefined): boolean {
  switch (roleOf(task)) {
    case 'main':
      return jobType !== 'batch' && jobType !== 'sysbatch';
    case 'prestartSidecar':
    case 'poststartSidecar':
      return true;
    case 'prestart':
    case 'poststart':
    case 'poststop':
      return false;
  }
}

export interface Member {
  readonly task: Task;
  readonly record: TaskRecord;
}

export type Order =
  | { readonly task: string; readonly order: 'go' }
  | { readonly task: string; readonly order: 'stop'; readonly because?: TaskEvent };

/**
 * What the tasks of an allocation shall do now, from what each is doing. Asked again after every change, so an order may be
 * repeated; one that was obeyed already changes nothing. `goal: 'stop'` ends everything: the leader first, then the main
 * tasks, then the sidecars that serve them; poststop tasks run to their end. With `expired`, why its time is over, they do not even begin.
 */
export function coordinate(members: readonly Member[], goal: 'run' | 'stop', now: Instant, expired?: string): Order[] {
  const by = (...roles: Role[]): Member[] => members.filter((m) => roles.includes(roleOf(m.task)));
  const before = members.filter((m) => roleOf(m.task) !== 'poststop');
  if (expired !== undefined) {
    const because = (): TaskEvent => taskEvents.timeOver(now, expired);
    return [...stopInOrder(before, because), ...stopAll(by('poststop'), because)];
  }
  const poststop = startAll(before.every((m) => isDead(m.record)) ? by('poststop') : []);
  if (goal === 'stop') return [...stopInOrder(before), ...poststop];

  const failed = before.find((m) => isFailed(m.record));
  if (failed !== undefined) return [...stopAll(before, (m) => siblingFailed(m, failed, now)), ...poststop];
  const leader = before.find((m) => m.task.leader);
  if (leader !== undefined && isDead(leader.record)) return [...stopAll(before, () => taskEvents.leaderDead(now)), ...poststop];
  const main = by('main');
  if (main.length > 0 && main.every((m) => isDead(m.record)))
    return [...stopAll(by('prestartSidecar', 'poststartSidecar', 'poststart'), () => taskEvents.mainDead(now)), ...poststop];

  const prestarted = by('prestart').every((m) => isDead(m.record)) && by('prestartSidecar').every(runs);
  const started = prestarted && main.every((m) => runs(m) || isDead(m.record)) && main.some(runs);
  return [
    ...startAll(by('prestart', 'prestartSidecar')),
    ...startAll(prestarted ? main : []),
    ...startAll(started ? by('poststart', 'poststartSidecar') : []),
    ...poststop,
  ];
}

const runs = ({ record }: Member): boolean => record.phase.at === 'running';

function startAll(members: readonly Member[]): Order[] {
  return members.filter((m) => m.record.phase.at === 'waiting').map((m) => ({ task: m.task.name, order: 'go' }));
}

function stopAll(members: readonly Member[], because: (member: Member) => TaskEvent | undefined): Order[] {
  return members.filter(stoppable).map((member) => {
    const event = because(member);
    return { task: member.task.name, order: 'stop', ...(event !== undefined && { because: event }) };
  });
}

function stopInOrder(members: readonly Member[], because?: () => TaskEvent): Order[] {
  const waves = [
    members.filter((m) => m.task.leader),
    members.filter((m) => ['main', 'poststart', 'prestart'].includes(roleOf(m.task))),
    members,
  ];
  const wave = waves.find((w) => w.some((m) => !isDead(m.record))) ?? [];
  return stopAll(wave, () => because?.());
}

const siblingFailed = (member: Member, failed: Member, now: Instant): TaskEvent | undefined =>
  member === failed ? undefined : taskEvents.siblingFailed(now, failed.task.name);

/** Alive, and not on its way to death already. */
function stoppable({ record }: Member): boolean {
  return !isDead(record) && !(record.phase.at === 'stopping' && record.phase.next === 'dead');
}
