import type { Duration } from '../../../base/index.ts';
import type { JobSpec } from '../../../openapi/index.ts';
import { Chance } from './chance.ts';
import type { Behaviour, Machine } from './node.ts';

/** One thing that a user or fate does. Plain data, so that a history can be printed, cut down and kept. */
export type Step = { readonly wait: Duration } & Action;

export type Action =
  | { readonly do: 'submit'; readonly job: string; readonly spec: JobSpec }
  | { readonly do: 'stop' | 'purge' | 'promote'; readonly job: string }
  | { readonly do: 'drain'; readonly node: number; readonly deadline?: string }
  | { readonly do: 'undrain'; readonly node: number }
  | { readonly do: 'stopAllocation' | 'deleteAllocation'; readonly pick: number }
  | { readonly do: 'addNode' }
  | { readonly do: 'powerOff'; readonly node: number; readonly lasts: Duration }
  | { readonly do: 'killAgent'; readonly node: number; readonly lasts: Duration }
  | { readonly do: 'partition'; readonly who: string; readonly way: 'both' | 'out' | 'in'; readonly lasts: Duration }
  | { readonly do: 'killServer' | 'pauseServer'; readonly server: number; readonly lasts: Duration }
  | { readonly do: 'killControllers' | 'pauseControllers'; readonly host: number; readonly lasts: Duration }
  | { readonly do: 'storeAway'; readonly lasts: Duration }
  | { readonly do: 'loss'; readonly share: number; readonly lasts: Duration }
  | { readonly do: 'skew'; readonly host: number; readonly ms: Duration }
  | { readonly do: 'compact' };

export interface Scenario {
  readonly seed: number;
  readonly machines: readonly Machine[];
  readonly servers: number;
  readonly controllerHosts: number;
  readonly steps: readonly Step[];
}

/** A history that follows from its seed: a few jobs that come, change and go, while everything that can break does. */
export function generate(seed: number): Scenario {
  const chance = new Chance(`scenario ${seed}`);
  const machines = Array.from({ length: chance.whole(2, 7) }, () => ({
    cpuMHz: chance.pick([1000, 2000, 4000]),
    memoryMB: chance.pick([1024, 4096]),
  }));
  const servers = chance.whole(1, 2);
  const controllerHosts = chance.whole(1, 2);
  const jobs = new Map<string, JobSpec>();
  const steps: Step[] = [];
  const faulty = chance.chance(0.8);
  const length = chance.whole(4, 16);
  for (let i = 0; i < length; i++) {
    const wait = Math.round(chance.chance(0.4) ? chance.between(0, 500) : chance.between(500, 30_000));
    const action = i === 0 || !faulty || chance.chance(0.55) ? userAction(chance, jobs, machines.length) : fault(chance, { machines: machines.length, servers, controllerHosts }); // prettier-ignore
    steps.push({ wait, ...action });
  }
  return { seed, machines, servers, controllerHosts, steps };
}

function userAction(chance: Chance, jobs: Map<string, JobSpec>, machines: number): Action {
  const names = [...jobs.keys()];
  const kind = names.length === 0 ? 0 : chance.next();
  if (kind < 0.3) {
    const job = `job${jobs.size}`;
    const spec = newJob(chance);
    jobs.set(job, spec);
    return { do: 'submit', job, spec };
  }
  const job = chance.pick(names);
  if (kind < 0.65) {
    const spec = changed(chance, jobs.get(job)!);
    jobs.set(job, spec);
    return { do: 'submit', job, spec };
  }
  if (kind < 0.72) return { do: 'stop', job };
  if (kind < 0.76) return { do: 'purge', job };
  if (kind < 0.8) return { do: 'promote', job };
  if (kind < 0.86)
    return {
      do: 'drain',
      node: chance.whole(0, machines - 1),
      ...(chance.chance(0.7) && { deadline: `${chance.whole(5, 120)}s` }),
    };
  if (kind < 0.9) return { do: 'undrain', node: chance.whole(0, machines - 1) };
  if (kind < 0.96) return { do: chance.chance(0.7) ? 'stopAllocation' : 'deleteAllocation', pick: chance.whole(0, 1000) };
  return { do: 'addNode' };
}

function fault(chance: Chance, size: { machines: number; servers: number; controllerHosts: number }): Action {
  const node = chance.whole(0, size.machines - 1);
  const host = chance.whole(0, size.controllerHosts - 1);
  // Short of what is noticed, or well beyond it.
  const lasts = Math.round(chance.chance(0.5) ? chance.between(100, 10_000) : chance.between(10_000, 120_000));
  switch (chance.whole(0, 10)) {
    case 0:
      return { do: 'powerOff', node, lasts };
    case 1:
      return { do: 'killAgent', node, lasts };
    case 2:
      return { do: 'partition', who: `node${node}`, way: chance.pick(['both', 'out', 'in'] as const), lasts };
    case 3:
      return { do: 'partition', who: `controllers${host}`, way: chance.pick(['both', 'out', 'in'] as const), lasts };
    case 4:
      return { do: chance.chance(0.6) ? 'killServer' : 'pauseServer', server: chance.whole(0, size.servers - 1), lasts };
    case 5:
    case 6:
      return { do: 'killControllers', host, lasts };
    case 7:
      return { do: 'pauseControllers', host, lasts };
    case 8:
      return { do: 'storeAway', lasts: Math.min(lasts, 30_000) };
    case 9:
      return chance.chance(0.5) ? { do: 'loss', share: chance.between(0.01, 0.3), lasts } : { do: 'compact' };
    default:
      return { do: 'skew', host, ms: Math.round(chance.between(-300_000, 300_000)) };
  }
}

function newJob(chance: Chance): JobSpec {
  const kind = chance.next();
  const type = kind < 0.7 ? 'service' : kind < 0.9 ? 'batch' : kind < 0.97 ? 'system' : 'sysbatch';
  const ends = type === 'batch' || type === 'sysbatch';
  const behaviour: Behaviour = ends
    ? chance.pick(['ends-well', 'ends-well', 'ends-badly'])
    : chance.pick(['steady', 'steady', 'steady', 'steady', 'flaky', 'crashes', 'never-healthy']);
  const everywhere = type === 'system' || type === 'sysbatch';
  const group = (name: string): NonNullable<JobSpec['groups']>[number] => ({
    name,
    count: everywhere ? 1 : chance.whole(1, 5),
    ...(chance.chance(0.3) && { networks: [{ ports: [{ label: 'http', ...(chance.chance(0.3) && { static: 8080 }) }] }] }),
    ...(type === 'service' && chance.chance(0.25) && { disconnect: disconnect(chance) }),
    tasks: [task(chance)],
  });
  const attempts = chance.whole(0, 3);
  return {
    type,
    priority: chance.whole(1, 100),
    meta: { behaviour },
    groups: chance.chance(0.8) ? [group('a')] : [group('a'), group('b')],
    ...(type === 'service' && {
      update: update(chance),
      migrate: { maxParallel: chance.whole(1, 2), minHealthyTime: '2s', healthyDeadline: '20s' },
    }),
    ...(type === 'system' && { update: { maxParallel: chance.whole(1, 3), stagger: '5s' } }),
    ...(type === 'batch' &&
      chance.chance(0.3) && { periodic: { cron: '* * * * *', prohibitOverlap: chance.chance(0.5), timeZone: 'Europe/Berlin' } }),
    ...(!everywhere && {
      reschedule: { attempts, interval: '1h', delay: '5s', delayFunction: 'constant', maxDelay: '1m', unlimited: false },
    }),
  };
}

function disconnect(chance: Chance): NonNullable<NonNullable<JobSpec['groups']>[number]['disconnect']> {
  return {
    lostAfter: `${chance.whole(10, 90)}s`,
    replace: chance.chance(0.7),
    reconcile: chance.pick(['best_score', 'longest_running', 'keep_original', 'keep_replacement']),
  };
}

function update(chance: Chance): NonNullable<JobSpec['update']> {
  const canary = chance.chance(0.25) ? chance.whole(1, 2) : 0;
  const maxParallel = chance.whole(1, 3);
  return {
    maxParallel,
    ...(chance.chance(0.25) && { maxSurge: chance.whole(1, maxParallel) }),
    minHealthyTime: '2s',
    healthyDeadline: '20s',
    progressDeadline: '40s',
    healthCheck: 'task_states',
    canary,
    autoRevert: chance.chance(0.4),
    autoPromote: canary > 0 && chance.chance(0.5),
  };
}

function task(chance: Chance): NonNullable<NonNullable<JobSpec['groups']>[number]['tasks']>[number] {
  return {
    name: 'main',
    driver: 'raw_exec',
    config: { command: '/bin/server' },
    env: { RELEASE: String(chance.whole(0, 1e6)) },
    resources: { cpu: chance.pick([50, 100, 200, 500]), memory: chance.pick([32, 64, 256]) },
  };
}

/** What users do to a job: another count, another release, another behaviour, or the same again. */
function changed(chance: Chance, spec: JobSpec): JobSpec {
  const [first, ...rest] = spec.groups!;
  switch (chance.whole(0, 5)) {
    case 0:
    case 1: {
      const counted = spec.type === 'service' || spec.type === 'batch';
      return { ...spec, groups: [{ ...first!, count: chance.whole(0, counted ? 6 : 1) }, ...rest] };
    }
    case 2:
    case 3:
      return { ...spec, groups: [{ ...first!, tasks: [task(chance)] }, ...rest] };
    case 4: {
      const behaviours: readonly Behaviour[] =
        spec.type === 'batch' || spec.type === 'sysbatch' ? ['ends-well', 'ends-badly'] : ['steady', 'flaky', 'crashes'];
      return { ...spec, meta: { behaviour: chance.pick(behaviours) } };
    }
    default:
      return spec;
  }
}
