import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { AnyObject, Job, JobVersion, Node } from '../../openapi/index.ts';
import { generate, type Scenario, type Step } from '../framework/simulation/scenario.ts';
import { shrink } from '../framework/simulation/shrink.ts';
import { isGood, simulate, type Outcome, type Sabotage } from '../framework/simulation/simulate.ts';

const small = { cpuMHz: 4000, memoryMB: 4096 };
const calm: Scenario = { seed: 7, machines: [small, small], servers: 1, controllerHosts: 1, steps: [] };

function submit(job: string, { count = 3, release = 1 } = {}, wait = 200): Step & { do: 'submit' } {
  return {
    wait,
    do: 'submit',
    job,
    spec: {
      type: 'service',
      groups: [
        {
          name: 'a',
          count,
          tasks: [{ name: 'main', driver: 'raw_exec', config: { command: '/bin/server' }, env: { RELEASE: String(release) }, resources: { cpu: 300, memory: 64 } }], // prettier-ignore
        },
      ],
      update: {
        maxParallel: 1,
        minHealthyTime: '2s',
        healthyDeadline: '20s',
        progressDeadline: '40s',
        healthCheck: 'task_states',
      },
      migrate: { maxParallel: 1, minHealthyTime: '2s', healthyDeadline: '20s' },
    },
  };
}

const change = (job: string): Step => submit(job, { release: 2 }, 30_000);

function good(outcome: Outcome, name: string | number): [boolean, string, object] {
  return [
    isGood(outcome),
    `history ${name}`,
    { violations: outcome.violations.slice(0, 3), unsettled: outcome.unsettled.slice(0, 5) },
  ];
}

function edited<T extends AnyObject>(kind: string, change: (object: T) => void): (object: AnyObject) => AnyObject {
  return (object) => {
    if (object.kind !== kind) return object;
    const copy = structuredClone(object) as T;
    change(copy);
    return copy;
  };
}

const roomyNodes = edited<Node>('Node', ({ status }) => {
  if (status?.resources !== undefined) status.resources.cpuMHz = 100_000;
});
const hastyDrain = (object: AnyObject): AnyObject => drainsFast(edited<Job>('Job', ({ spec }) => letAllMove(spec))(object));
const drainsFast = edited<JobVersion>('JobVersion', ({ spec }) => letAllMove(spec.job));
function letAllMove({ groups = [] }: Job['spec']): void {
  for (const { migrate } of groups) if (migrate !== undefined) migrate.maxParallel = 5;
}
const hasty = edited<JobVersion>('JobVersion', ({ spec }) => {
  for (const group of spec.job.groups ?? []) if (group.update !== undefined) group.update.maxParallel = 5;
});
const forgetVersions = edited<JobVersion>('JobVersion', ({ spec }) => {
  spec.version += 3;
});
const forgetIndexes = edited<AnyObject & { spec: { index: number } }>('Allocation', ({ spec }) => {
  spec.index += 3;
});

const forgetLaunches = edited<Job>('Job', ({ status }) => {
  delete status?.periodic;
});

/** A few of the histories that `npm run simulate` runs by the thousand; those that once went wrong; and bugs that must be found. */
await t.test('a simulated cluster', async (t) => {
  await t.test('keeps its promises, whatever happens', async (t) => {
    for (let seed = 1; seed <= 8; seed++) t.ok(...good(await simulate(generate(seed)), seed));
  });

  await t.test('keeps them in histories that once went wrong', async (t) => {
    const folder = join(import.meta.dirname, '../../../test/simulation/histories');
    const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
    t.ok(files.length > 0, 'there are some');
    for (const file of files) {
      const scenario = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Scenario;
      t.ok(...good(await simulate(scenario), file));
    }
  });

  await t.test('is the same in every run of a seed', async (t) => {
    const lines: string[][] = [[], []];
    for (const log of lines) await simulate(generate(11), { write: (line) => void log.push(line) });
    t.ok(lines[0]!.length > 50);
    t.same(lines[1], lines[0]);
  });

  await t.test('a history that goes wrong is cut down to what shows it', async (t) => {
    const sabotage: Sabotage = { lens: roomyNodes };
    const noise: Step[] = [
      { wait: 100, do: 'compact' },
      { wait: 10, do: 'addNode' },
      { wait: 10, do: 'stop', job: 'other' },
    ];
    const scenario: Scenario = { ...calm, steps: [...noise, submit('web', { count: 70 }), ...noise] };
    const short = await shrink(scenario, (candidate) => simulate(candidate, { sabotage }));
    t.same(
      short.steps.map((step) => step.do),
      ['submit'],
    );
  });

  await t.test('finds the bug', async (t) => {
    const found = async (sabotage: Sabotage, steps: Step[], more: Partial<Scenario> = {}): Promise<string> => {
      const { violations, unsettled } = await simulate({ ...calm, ...more, steps }, { sabotage });
      return violations[0]?.invariant ?? (unsettled.length > 0 ? 'liveness' : 'nothing');
    };
    t.equal(await found({}, [submit('web'), change('web')]), 'nothing', 'where there is none');
    t.equal(
      await found({ lens: roomyNodes }, [submit('web', { count: 30 })]),
      'capacity',
      'nodes are taken for larger than they are',
    );
    t.equal(
      await found({ lens: forgetIndexes }, [submit('web'), submit('web', { count: 6 }, 8_000)]),
      'single',
      'indexes are forgotten',
    );
    t.equal(await found({ lens: hasty }, [submit('web'), change('web')]), 'rollout', 'max_parallel is read as more than it is');
    t.equal(await found({ lens: hastyDrain }, [submit('web', { count: 6 }), { wait: 20_000, do: 'drain', node: 0 }]), 'drain', 'migrate is read as more than it is'); // prettier-ignore
    t.equal(await found({ lens: forgetVersions }, [submit('web'), submit('web', { count: 4 }, 8_000)]), 'history', 'versions are counted wrong'); // prettier-ignore
    t.equal(
      await found({ disobedient: true }, [submit('web'), { wait: 9_000, do: 'stop', job: 'web' }]),
      'liveness',
      'agents stop nothing',
    );
    const everyMinute: Step = {
      wait: 200,
      do: 'submit',
      job: 'backup',
      spec: {
        type: 'batch',
        meta: { behaviour: 'ends-well' },
        periodic: { cron: '* * * * *', timeZone: 'UTC', historyLimit: 0 },
        groups: [{ name: 'a', count: 1, tasks: [{ name: 'main', driver: 'raw_exec', config: { command: '/bin/true' } }] }],
      },
    };
    const hour: Step = { wait: 1_200_000, do: 'compact' };
    t.equal(await found({}, [everyMinute, hour]), 'nothing', 'every instant is launched once');
    t.equal(await found({ lens: forgetLaunches }, [everyMinute, hour]), 'launch', 'what was launched is forgotten');
    // A server is held up with what leaders sent it, until long after their end.
    const late: Step[] = [
      submit('web'),
      ...Array.from({ length: 12 }, (_, i): Step => submit(`web${i % 4}`, { count: 1 + (i % 5) }, 5)),
      { wait: 20, do: 'pauseServer', server: 0, lasts: 60_000 },
      { wait: 10_000, do: 'killControllers', host: 0, lasts: 60_000 },
    ];
    t.equal(await found({ unfenced: true }, late), 'fence', 'a deposed leader writes on');
  });
});
