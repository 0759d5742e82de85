/**
 * How well the scheduler packs: jobs of a trace come until the first task finds no place. What share of the fleet is allocated then,
 * beside what sampling gives (a few nodes at random that have room, the best of them: what peers do), and beside best fit with all tasks
 * known beforehand, the largest first.
 */
import { fitScore, antiAffinityScore } from '../controllers/scheduler/rank/score.ts';
import { randomFrom } from '../test/apiserver/storage/model.ts';
import { job, node, World } from '../test/controllers/scheduler/world.ts';
import { main, type Row } from './harness.ts';
import { plus, shapes, trace, type Size, type Trace, type TraceJob } from './traces.ts';

const SEEDS = [1, 2, 3];
const NODES = 200;

/** What of the fleet is allocated when the first task finds no place: of what there is less of. */
interface End {
  readonly share: number;
  /** Tasks that were placed in all. */
  readonly tasks: number;
}

/** Jobs as they come, each told of before it does; who left is told of first. Ends when `place` places less than all. */
function replay({ machines, jobs }: Trace, place: (job: TraceJob) => number, remove: (job: TraceJob) => void): End {
  const total = machines.reduce(plus);
  let used: Size = { cpu: 0, memory: 0 };
  let tasks = 0;
  const here = new Set<TraceJob>();
  for (const one of jobs) {
    for (const other of here) {
      if (other.leaves > one.arrives) continue;
      here.delete(other);
      remove(other);
      used = plus(used, times(other, -other.count));
    }
    const placed = place(one);
    tasks += placed;
    used = plus(used, times(one, placed));
    if (placed < one.count) return { share: shareOf(used, total), tasks };
    here.add(one);
  }
  throw new Error('the trace ended before the fleet was full');
}

const times = ({ cpu, memory }: Size, count: number): Size => ({ cpu: cpu * count, memory: memory * count });
const shareOf = (used: Size, total: Size): number => Math.max(used.cpu / total.cpu, used.memory / total.memory);

function ours(trace: Trace): End {
  const world = new World(trace.machines.map((machine, i) => node(`n${i}-${((i * 2654435761) >>> 0).toString(16)}`, { ...machine, disk: 1e9 }))); // prettier-ignore
  return replay(
    trace,
    ({ name, type, count, cpu, memory }) => {
      world.submit(job({ count, cpu, memory }, { id: name, name, type }), name);
      return world.run(world.evaluation({ jobName: name })).placements.length;
    },
    ({ name }) => world.live(name).forEach(({ id }) => world.cluster.allocations.remove(id)),
  );
}

/** `count` nodes at random that have room (all are asked if need be), and the best of them by the scheduler's own score. */
function sampling(trace: Trace, count: number, seed: number): End {
  const random = randomFrom(seed);
  const free = trace.machines.map(({ cpu, memory }) => ({ cpu, memory }));
  const order = free.map((_, i) => i);
  const places = new Map<TraceJob, number[]>();
  return replay(
    trace,
    (one) => {
      const own: number[] = [];
      places.set(one, own);
      while (own.length < one.count) {
        let best: { at: number; score: number } | undefined;
        for (let i = 0, found = 0; i < order.length && found < count; i++) {
          const j = i + Math.floor(random() * (order.length - i));
          [order[i], order[j]] = [order[j]!, order[i]!];
          const at = order[i]!;
          const room = free[at]!;
          if (room.cpu < one.cpu || room.memory < one.memory) continue;
          found++;
          const machine = trace.machines[at]!;
          const fit = fitScore('binpack', (room.cpu - one.cpu) / machine.cpu, (room.memory - one.memory) / machine.memory);
          const others = own.filter((place) => place === at).length;
          const score = others === 0 ? fit : (fit + antiAffinityScore(others, one.count)) / 2;
          if (best === undefined || score > best.score) best = { at, score };
        }
        if (best === undefined) break;
        take(free[best.at]!, one, 1);
        own.push(best.at);
      }
      return own.length;
    },
    (one) => places.get(one)!.forEach((at) => take(free[at]!, one, -1)),
  );
}

function take(room: { cpu: number; memory: number }, { cpu, memory }: Size, count: number): void {
  room.cpu -= cpu * count;
  room.memory -= memory * count;
}

/** The last moment at which all that is there could have been placed anew, the largest task first, each where it fits best by one of three rules. */
function offline({ machines, jobs }: Trace): End {
  const total = machines.reduce(plus);
  const mean = times(total, 1 / machines.length);
  const sizeOf = ({ cpu, memory }: Size): number => Math.max(cpu / mean.cpu, memory / mean.memory);
  /** Without the last `missing` tasks of the last job. */
  const there = (count: number, missing: number): readonly (Size & { count: number })[] => {
    const last = jobs[count - 1]!;
    return jobs.slice(0, count).filter(({ leaves }) => leaves > last.arrives).map((one) => ({ ...one, count: one === last ? one.count - missing : one.count })); // prettier-ignore
  };
  const fitsBy = (
    tasks: readonly (Size & { count: number })[],
    left: (room: Size, task: Size, machine: Size) => number,
  ): boolean => {
    const free = machines.map(({ cpu, memory }) => ({ cpu, memory }));
    for (const one of [...tasks].sort((a, b) => sizeOf(b) - sizeOf(a))) {
      for (let n = 0; n < one.count; n++) {
        let best: { cpu: number; memory: number } | undefined;
        let least = Number.POSITIVE_INFINITY;
        for (const [i, room] of free.entries()) {
          if (room.cpu < one.cpu || room.memory < one.memory) continue;
          const value = left(room, one, machines[i]!);
          if (value < least) [best, least] = [room, value];
        }
        if (best === undefined) return false;
        take(best, one, 1);
      }
    }
    return true;
  };
  const rules: readonly ((room: Size, task: Size, machine: Size) => number)[] = [
    // what is left, added up
    (room, task) => (room.cpu - task.cpu) / mean.cpu + (room.memory - task.memory) / mean.memory,
    // how little what is left is of the task's own proportions: for fleets that lack now this, now that
    (room, task) => -(room.cpu * task.cpu) / mean.cpu ** 2 - (room.memory * task.memory) / mean.memory ** 2,
    (room, task, machine) =>
      -fitScore('binpack', (room.cpu - task.cpu) / machine.cpu, (room.memory - task.memory) / machine.memory),
  ];
  const fits = (tasks: readonly (Size & { count: number })[]): boolean => rules.some((rule) => fitsBy(tasks, rule));
  const most = search(1, jobs.length, (count) => fits(there(count, 0)));
  const next = jobs[most]!;
  const of = search(0, next.count, (count) => fits(there(most + 1, next.count - count)));
  const tasks = there(most + 1, next.count - of);
  const used = tasks.map((one) => times(one, one.count)).reduce(plus);
  return { share: shareOf(used, total), tasks: jobs.slice(0, most).reduce((sum, { count }) => sum + count, of) };
}

/** The largest number that holds; `from` does, and what is larger than one that does not does not either. */
function search(from: number, to: number, holds: (n: number) => boolean): number {
  let [low, high] = [from, to];
  while (low < high - 1) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}

export function run(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const shape of shapes) {
    for (const churn of [false, true]) {
      const traces = SEEDS.map((seed) => trace(shape, NODES, churn, seed));
      const name = `${shape.name}, ${NODES} nodes${churn ? ', jobs come and go' : ''}`;
      const mean = (of: (trace: Trace, seed: number) => End): End => {
        const ends = traces.map((one, i) => of(one, SEEDS[i]!));
        const sum = (value: (end: End) => number): number => ends.reduce((total, end) => total + value(end), 0) / ends.length;
        return { share: sum(({ share }) => share), tasks: sum(({ tasks }) => tasks) };
      };
      const best = mean(offline);
      const row = (metric: string, value: number, unit: string): unknown => rows.push({ suite: 'packing', case: name, metric, value, unit }); // prettier-ignore
      const ends: [string, End][] = [
        ['orch', mean(ours)],
        [`best of ${Math.ceil(Math.log2(NODES))} (log2 n) sampled`, mean((one, seed) => sampling(one, Math.ceil(Math.log2(NODES)), seed))], // prettier-ignore
        ['best of 2 sampled', mean((one, seed) => sampling(one, 2, seed))],
      ];
      row('best fit, all known beforehand', best.share * 100, '%');
      for (const [who, { share }] of ends) row(who, share * 100, '%');
      for (const [who, { share }] of ends) row(`${who}, of best fit`, share / best.share, 'x');
      row('tasks placed by orch', ends[0]![1].tasks, '');
    }
  }
  return Promise.resolve(rows);
}

await main('packing', run);
