import t from 'tap';
import { isClientTerminal, isTerminal, type AllocationRecord } from '../../../controllers/scheduler/model.ts';
import { DYNAMIC_MAX, DYNAMIC_MIN } from '../../../controllers/scheduler/state/ports.ts';
import type { JobSpec, Stored, Node } from '../../../openapi/index.ts';
import { group, job, node, summary, World } from './world.ts';

/**
 * Random histories of jobs, nodes and failures, from a printed seed: after each step the promises of the scheduler hold. A seed
 * that once failed is kept in `remembered`.
 */
const remembered: number[] = [];
const SEEDS = Number(process.env['ORCH_SEEDS'] ?? 60);
const FROM = Number(process.env['ORCH_SEED'] ?? 1);
const STEPS = 25;

/** mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}

class History {
  readonly #next: () => number;
  readonly log: string[] = [];
  readonly nodes = new Map<string, Stored<Node>>();
  readonly specs = new Map<string, JobSpec>();
  readonly world: World;

  constructor(seed: number) {
    this.#next = random(seed);
    this.world = new World();
    for (let i = 0; i < 2 + this.below(6); i++) this.#putNode(`n${i}`);
  }

  below(limit: number): number {
    return Math.floor(this.#next() * limit);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  #putNode(name: string, options: Parameters<typeof node>[1] = {}): void {
    const i = Number(name.slice(1));
    const made = node(name, {
      cpu: 1000 + 1000 * (i % 3),
      memory: 1000 + 1000 * (i % 2),
      cores: 1 + (i % 4),
      datacenter: `dc${i % 2}`,
      nodeClass: i % 3 === 0 ? 'big' : 'small',
      meta: { rack: `r${i % 3}` },
      ...(i % 4 === 0 && { addresses: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }] }),
      ...options,
    });
    this.nodes.set(name, made);
    this.world.cluster.putNode(made);
  }

  #spec(name: string): JobSpec {
    const type = this.below(4) === 0 ? 'batch' : 'service';
    const old = this.specs.get(name);
    const surges = this.below(3) === 0;
    const keep = old !== undefined && this.below(2) === 0;
    const groups = Array.from({ length: 1 + this.below(2) }, (_, i) =>
      group(
        `g${i}`,
        {
          count: this.below(6),
          cpu: 50 + 50 * this.below(4),
          memory: 50 + 100 * this.below(4),
          env: { V: String(keep ? 0 : this.below(3)) },
          ...(type === 'service' && {
            update: {
              maxParallel: this.below(4),
              canary: this.below(3) === 0 ? this.below(3) : 0,
              ...(surges && { maxSurge: 1 }),
            },
          }),
          reschedule: this.pick([
            { unlimited: true, delay: '30s', delayFunction: 'exponential', maxDelay: '1h' },
            { unlimited: true, delay: '0s', delayFunction: 'constant' },
            { attempts: 1, interval: '1h', delay: '5s', delayFunction: 'constant' },
            { attempts: 0, unlimited: false },
          ]),
          ...(this.below(3) === 0 && {
            networks: [{ ports: [{ label: 'a', static: 8000 + this.below(2) }, { label: 'b' }, { label: 'c' }] }],
          }),
          ...(this.below(5) === 0 && { constraints: [{ operator: 'distinct_hosts' }] }),
          ...(this.below(6) === 0 && { constraints: [{ operator: 'distinct_property', attribute: '${meta.rack}', value: '2' }] }),
          ...(this.below(6) === 0 && { constraints: [{ attribute: '${node.class}', operator: '=', value: 'big' }] }),
          ...(this.below(4) === 0 && { spreads: [{ attribute: '${node.datacenter}', weight: 50 }] }),
          ...(this.below(4) === 0 && { affinities: [{ attribute: '${meta.rack}', operator: '=', value: 'r1', weight: 30 }] }),
          ...(this.below(6) === 0 && { tasks: [{ name: 'main', driver: 'raw_exec', resources: { cores: 1, memory: 50 } }] }),
        },
        type,
      ),
    );
    // The type of a job never changes.
    const fixed = old?.type ?? type;
    return job(groups, {
      type: fixed,
      priority: 50,
      allAtOnce: this.below(10) === 0,
      ...(this.below(8) === 0 && { stop: true }),
      id: name,
    });
  }

  /** Something happens; returns the job to look at. */
  step(): string[] {
    const name = this.pick(['j1', 'j2', 'j3']);
    const live = this.world.live(name);
    switch (this.below(9)) {
      case 0:
      case 1: {
        const spec = this.#spec(name);
        this.specs.set(name, spec);
        this.world.submit(spec, name);
        this.log.push(
          `submit ${name} ${JSON.stringify(spec.groups!.map((g) => [g.name, g.count, g.update]))}${spec.stop === true ? ' stopped' : ''}`,
        );
        return [name];
      }
      case 2: {
        const n = this.pick([...this.nodes.keys()]);
        const phase = this.pick(['down', 'ready', 'ready'] as const);
        this.#putNode(n, { phase, eligibility: this.pick(['eligible', 'eligible', 'ineligible'] as const) });
        this.log.push(`node ${n} ${phase}`);
        return ['j1', 'j2', 'j3'];
      }
      case 3:
        this.#putNode(`n${this.nodes.size}`);
        this.log.push('node joins');
        return ['j1', 'j2', 'j3'];
      case 4:
      case 5:
        if (live.length > 0) {
          const victim = this.pick(live);
          this.world.change(
            victim,
            this.specs.get(name)!.type === 'batch' && this.below(2) === 0
              ? { phase: 'complete', succeeded: true }
              : { phase: 'failed' },
          );
          this.log.push(`${victim.group}[${victim.index}] of ${name} ends`);
        }
        return [name];
      case 6:
        if (live.length > 0) {
          const moved = this.pick(live);
          this.world.change(moved, { migrate: true });
          this.log.push(`${moved.group}[${moved.index}] of ${name} migrates`);
        }
        return [name];
      case 7: {
        this.world.settle(name);
        this.log.push(`${name} settles`);
        const deployment = [...this.world.deployments.values()].filter((d) => d.spec.jobName === name).at(-1);
        if (deployment !== undefined && deployment.status?.phase === 'running') {
          const act = this.below(5);
          if (act === 0) this.world.promote(deployment.metadata.name);
          if (act === 1) this.world.changeDeployment(deployment.metadata.name, { phase: 'failed' });
          if (act === 2) this.world.changeDeployment(deployment.metadata.name, { phase: 'successful' });
          this.log.push(`deployment of ${name}: ${['promoted', 'failed', 'successful'][act] ?? 'goes on'}`);
        }
        return [name];
      }
      default: {
        this.world.now += 20_000;
        this.log.push('time passes');
        return ['j1', 'j2', 'j3'];
      }
    }
  }
}

function check(history: History, name: string, before: readonly AllocationRecord[]): string | undefined {
  const { world, specs } = history;
  const spec = specs.get(name);
  const live = world.live(name);
  for (const one of spec?.groups ?? []) {
    const ofGroup = live.filter((a) => a.group === one.name);
    const canaries = ofGroup.filter((a) => a.canary);
    const regular = ofGroup.filter((a) => !a.canary && !a.surge);
    const wanted = spec!.stop === true ? 0 : (one.count ?? 1);
    if (regular.length > wanted) return `${regular.length} allocations of ${one.name}, ${wanted} wanted`;
    const surging = ofGroup.filter((a) => a.surge).length;
    if (surging > Math.max(0, one.update?.maxSurge ?? 0) && spec!.stop !== true)
      return `${surging} of ${one.name} run beside others`;
    if (canaries.length > (one.update?.canary ?? 0)) return `${canaries.length} canaries of ${one.name}`;
    const indexes = regular.map((a) => a.index);
    if (new Set(indexes).size !== indexes.length) return `an index twice in ${one.name}: ${indexes.join()}`;
    // What a new version takes away of what worked, beyond what it drops: no more than max_parallel.
    const parallel = one.update?.maxParallel ?? 0;
    const worked = before.filter(
      (a) =>
        a.group === one.name && !a.canary && !isTerminal(a) && !a.migrate && world.cluster.fleet.stateOf(a.node)?.up === true,
    );
    const taken = worked.filter((a) =>
      world.allocations(name).some((b) => b.id === a.id && b.desired !== 'run' && b.next !== undefined),
    );
    if (spec!.type === 'service' && parallel > 0 && taken.length > parallel)
      return `${taken.length} replaced at once, max_parallel ${parallel}`;
  }
  const known = new Set(spec?.groups?.map((g) => g.name));
  if (live.some((a) => !known.has(a.group))) return 'an allocation of a group that is gone';
  return capacity(history);
}

function capacity({ world }: History): string | undefined {
  const { fleet, allocations } = world.cluster;
  const sums = new Map<string, { cpu: number; memory: number; disk: number; ports: Set<string>; cores: Set<number> }>();
  // What is told to stop leaves its room to the one on its node that comes after it, and to nobody else.
  const heirOf = (a: AllocationRecord): AllocationRecord | undefined => {
    const heir = a.desired === 'run' ? undefined : allocations.get(a.preemptedBy ?? a.next ?? '');
    return heir?.node === a.node ? heir : undefined;
  };
  const leaving = new Map<AllocationRecord, AllocationRecord[]>();
  for (const a of allocations.all()) {
    const heir = heirOf(a);
    if (heir !== undefined) leaving.set(heir, [...(leaving.get(heir) ?? []), a]);
  }
  const room = (a: AllocationRecord, of: 'cpu' | 'memory' | 'disk'): number => {
    const left = (leaving.get(a) ?? []).reduce((total, b) => total + room(b, of), 0);
    return Math.max(isClientTerminal(a) ? 0 : a.holding[of], left);
  };
  for (const a of allocations.all()) {
    if (heirOf(a) !== undefined || (isClientTerminal(a) && !leaving.has(a))) continue;
    let sum = sums.get(a.node);
    if (sum === undefined) sums.set(a.node, (sum = { cpu: 0, memory: 0, disk: 0, ports: new Set(), cores: new Set() }));
    sum.cpu += room(a, 'cpu');
    sum.memory += room(a, 'memory');
    sum.disk += room(a, 'disk');
    if (isClientTerminal(a)) continue;
    for (const { ip, value } of a.ports ?? []) {
      if (sum.ports.has(`${ip}:${value}`)) return `port ${ip}:${value} twice on ${a.node}`;
      sum.ports.add(`${ip}:${value}`);
      if (value >= 20_000 && (value < DYNAMIC_MIN || value > DYNAMIC_MAX)) return `port ${value}`;
    }
    for (const core of a.cores ?? []) {
      if (sum.cores.has(core)) return `core ${core} twice on ${a.node}`;
      sum.cores.add(core);
    }
  }
  for (const [name, sum] of sums) {
    const slot = fleet.slotOf(name)!;
    const used = [fleet.usedCpu[slot], fleet.usedMemory[slot], fleet.usedDisk[slot]];
    if (used[0] !== sum.cpu || used[1] !== sum.memory || used[2] !== sum.disk) return `the books of ${name} are wrong`;
    if (sum.cpu > fleet.cpu[slot]! || sum.memory > fleet.memory[slot]! || sum.disk > fleet.disk[slot]!)
      return `${name} is overcommitted`;
    if (sum.cores.size > fleet.states[slot]!.cores) return `${name} has not so many cores`;
  }
  return undefined;
}

function play(seed: number): string | undefined {
  const history = new History(seed);
  const { world } = history;
  for (let step = 0; step < STEPS; step++) {
    for (const name of history.step()) {
      const due = [...world.evaluations.values()].find(
        (e) => e.spec.jobName === name && e.status?.phase === 'pending' && Date.parse(e.spec.waitUntil!) <= world.now,
      );
      const before = world.allocations(name);
      const plan = world.run(due ?? world.evaluation({ jobName: name }));
      history.log.push(`  ${name}: ${summary(plan).join(', ')}`);
      for (const { record } of plan.placements) {
        const state = world.cluster.fleet.stateOf(record.node);
        if (state?.schedulable !== true) return `${history.log.join('\n')}\nplaced on ${record.node}, which takes nothing`;
      }
      const broken = check(history, name, before);
      if (broken !== undefined) return `${history.log.join('\n')}\n${broken}`;
      const again = world.plan(world.evaluation({ jobName: name }));
      const changes = summary(again);
      if (changes.length > 0) return `${history.log.join('\n')}\nasked again at once: ${changes.join(', ')}`;
      const wrong = capacity(history);
      if (wrong !== undefined) return `${history.log.join('\n')}\nafter a plan that was dropped: ${wrong}`;
    }
  }
  return undefined;
}

t.test(`random histories from seed ${FROM}`, async (t) => {
  for (const seed of [...remembered, ...Array.from({ length: SEEDS }, (_, i) => FROM + i)]) {
    const broken = play(seed);
    if (broken !== undefined) {
      t.fail(`seed ${seed}`, { history: broken.split('\n') });
      return;
    }
  }
  t.pass(`${SEEDS} seeds`);
});
