/**
 * A node under torture: its agent is killed again and again at random moments, its Docker engine twice, and the server is away for a
 * while, as jobs grow and shrink. Every task keeps a journal of its own runs, which nobody else writes to; at the end the journals,
 * the processes of the machine and what the server was told must agree.
 *
 * The size is a small one, so that it can run with everything else; `ORCH_TORTURE=full` asks for 200 allocations, 50 kills and a
 * minute without server. `ORCH_TORTURE_SEED` repeats the choices of a run, though not its timing.
 */
import t from 'tap';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NodeKind, type Allocation, type Stored, type TaskState } from '../../openapi/index.ts';
import { Chance } from '../framework/simulation/chance.ts';
import { Engine } from '../framework/docker-engine.ts';
import { freePorts, Sandbox, type Process } from '../framework/orchctl.ts';
import { allocations } from './tour.ts';

const full = process.env['ORCH_TORTURE'] === 'full';
const size = full ? { allocations: 200, kills: 50, awayMs: 60_000 } : { allocations: 40, kills: 10, awayMs: 3000 };
const seed = Number(process.env['ORCH_TORTURE_SEED'] ?? Math.floor(Math.random() * 1e9));

/** Lives on as `sleep 1000000`, which is how the test finds it among the machine's processes. */
const forever = 'exec sleep 1000000';
const journal = '$NOMAD_ALLOC_DIR/data/journal';
const scripts = {
  steady: `echo start >> ${journal}; ${forever}`,
  // Fails again and again until it is told to be quiet.
  flaky: `echo start >> ${journal}; [ ! -e $NOMAD_ALLOC_DIR/data/quiet ] || ${forever}; sleep $((2 + $NOMAD_ALLOC_INDEX % 7)); echo exit 3 >> ${journal}; exit 3`,
  // Ends once, well or with a code that follows from its index.
  once: `echo start >> ${journal}; sleep $((3 + $NOMAD_ALLOC_INDEX % 11)); code=$(($NOMAD_ALLOC_INDEX % 3 * 7)); echo exit $code >> ${journal}; exit $code`,
  well: `echo start >> ${journal}; sleep $((3 + $NOMAD_ALLOC_INDEX % 11)); echo exit 0 >> ${journal}`,
};

interface Group {
  readonly job: 'steady' | 'flaky' | 'once';
  readonly driver: 'raw_exec' | 'exec' | 'docker';
  readonly script: string;
  readonly share: number;
  /** How often a run may fail, or its start: an engine that is away fails it as well. */
  readonly attempts: number;
}

const groups: readonly Group[] = [
  { job: 'steady', driver: 'raw_exec', script: scripts.steady, share: 0.45, attempts: 0 },
  { job: 'steady', driver: 'exec', script: scripts.steady, share: 0.05, attempts: 0 },
  { job: 'steady', driver: 'docker', script: scripts.steady, share: 0.1, attempts: 1000 },
  { job: 'flaky', driver: 'raw_exec', script: scripts.flaky, share: 0.15, attempts: 1000 },
  { job: 'flaky', driver: 'docker', script: scripts.flaky, share: 0.05, attempts: 1000 },
  { job: 'once', driver: 'raw_exec', script: scripts.once, share: 0.15, attempts: 0 },
  { job: 'once', driver: 'docker', script: scripts.well, share: 0.05, attempts: 1000 },
];
const countOf = ({ share }: Group): number => Math.max(1, Math.round(share * size.allocations));

/** What there is to know of one allocation: from the server, and from the journal of its task. */
interface Run {
  readonly id: string;
  readonly group: Group;
  readonly allocation: Stored<Allocation>;
  readonly task: TaskState | undefined;
  readonly starts: number;
  readonly exits: readonly number[];
}

function readRun(box: Sandbox, allocation: Stored<Allocation>): Run {
  const id = allocation.metadata.name;
  const group = groups.find(({ job, driver }) => job === allocation.spec.jobName && driver === allocation.spec.group)!;
  const lines = read(join(box.dir, 'client/client/alloc', id, 'alloc/data/journal')).split('\n');
  const exits = lines.flatMap((line) => (line.startsWith('exit ') ? [Number(line.slice(5))] : []));
  return { id, group, allocation, task: allocation.status?.tasks?.[0], starts: lines.filter((l) => l === 'start').length, exits };
}

const restarts = ({ task }: Run): number => task?.restarts ?? 0;
const describe = ({ group, allocation, task, ...run }: Run) => ({
  ...run,
  job: `${group.job}/${group.driver}`,
  desired: allocation.spec.desired,
  phase: allocation.status?.phase,
  restarts: task?.restarts,
  exitCode: task?.exitCode,
  events: task?.events?.map((e) => `${e.time} ${e.type}: ${e.message}`),
});

const shouldLive = ({ allocation, group }: Run): boolean => allocation.spec.desired === 'run' && group.job !== 'once';

type Living = ReturnType<typeof livingTasks>;

function isAtRest(run: Run, alive: Living): boolean {
  const { phase } = run.allocation.status ?? {};
  if (!shouldLive(run)) return phase === 'complete' || phase === 'failed';
  return phase === 'running' && alive.get(run.id)?.length === 1;
}

/** By allocation: the machine's processes that are its task, wherever they run. */
function livingTasks(ids: ReadonlySet<string>): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (read(`/proc/${pid}/cmdline`) !== 'sleep\0' + '1000000\0') continue;
    const id = /(?:^|\0)NOMAD_ALLOC_ID=([^\0]+)/.exec(read(`/proc/${pid}/environ`))?.[1];
    if (id !== undefined && ids.has(id)) found.set(id, [...(found.get(id) ?? []), Number(pid)]);
  }
  return found;
}

function quieten(box: Sandbox, id: string): void {
  try {
    writeFileSync(join(box.dir, 'client/client/alloc', id, 'alloc/data/quiet'), '');
  } catch {
    // It has no folder: it never began, or is gone.
  }
}

function write(box: Sandbox, endpoint: string, http: number, rpc: number, own: number): void {
  const common = (name: string): string => `data_dir = "${box.dir}/${name}"\nname = "${name}"\nbind_addr = "127.0.0.1"\n`;
  writeFileSync(
    join(box.dir, 'server.hcl'),
    `${common('server')}
server {
  enabled = true
}
ports {
  http = ${http}
  rpc  = ${rpc}
}
`,
  );
  writeFileSync(
    join(box.dir, 'client.hcl'),
    `${common('client')}
client {
  enabled           = true
  servers           = ["127.0.0.1:${rpc}"]
  cpu_total_compute = 100000
  memory_total_mb   = 100000
  gc_max_allocs     = 1000
}
ports {
  http = ${own}
}
plugin "raw_exec" {
  config {
    enabled = true
  }
}
plugin "docker" {
  config {
    endpoint = "${endpoint}"
  }
}
`,
  );
  for (const name of ['steady', 'flaky', 'once']) {
    const body = groups.filter(({ job }) => job === name).map(groupText);
    const type = name === 'once' ? 'batch' : 'service';
    // No deployment: what fails on purpose would fail it.
    const update = type === 'service' ? '  update {\n    max_parallel = 0\n  }\n' : '';
    const text = `job "${name}" {\n  type = "${type}"\n${update}  reschedule {\n    attempts  = 0\n    unlimited = false\n  }\n${body.join('')}}\n`;
    writeFileSync(join(box.dir, `${name}.nomad`), text);
  }
}

const groupText = (group: Group): string => `  group "${group.driver}" {
    count = ${countOf(group)}
    restart {
      attempts = ${group.attempts}
      interval = "24h"
      delay    = "1s"
      mode     = "fail"
    }
    ephemeral_disk {
      size = 10
    }
    task "t" {
      driver       = "${group.driver}"
      kill_timeout = "1s"
      logs {
        max_files     = 1
        max_file_size = 1
      }
      config {
        ${group.driver === 'docker' ? 'image = "busybox:1"\n        network_mode = "none"' : ''}
        command = "/bin/sh"
        args    = ["-c", ${JSON.stringify(group.script)}]
      }
      resources {
        cpu    = 10
        memory = 32
      }
    }
  }
`;

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

await t.test(`a node under torture (ORCH_TORTURE_SEED=${seed})`, async (t) => {
  const chance = new Chance(seed);
  const [http, rpc, own] = await freePorts(3);
  const box = new Sandbox(`http://127.0.0.1:${http}`);
  const client = box.client();
  const engine = await Engine.start(box);
  const seen = new Set<string>();
  let agent: Process | undefined;
  t.teardown(async () => {
    client.close();
    await agent?.kill('SIGKILL');
    // When it failed half-way.
    for (const pid of livingTasks(seen).values()) pid.forEach((p) => process.kill(p, 'SIGKILL'));
    await engine.close();
    await box.close();
  });

  write(box, engine.endpoint, http!, rpc!, own!);
  const startServer = async (): Promise<Process> => {
    const server = box.start('agent', '-config=server.hcl');
    await server.says(/orch agent started!/);
    return server;
  };
  let server = await startServer();
  agent = box.start('agent', '-config=client.hcl');
  await agent.says(/orch agent started!/);
  await box.eventually('the node has its engine', async () => {
    const [node] = (await client.list(NodeKind)).items;
    return node?.status?.phase === 'ready' && node.status.drivers?.['docker']?.healthy === true;
  });
  for (const job of ['steady', 'flaky', 'once']) await box.ok('job', 'run', '-detach', `${job}.nomad`);

  // Everything at once: kills from now on, while the allocations begin.
  const wanted = new Map(groups.map((group) => [group, countOf(group)]));
  const torture = {
    agent: async () => {
      for (let n = 0; n < size.kills; n++) {
        // Before it has come up, or later; often enough later for its node not to be given up.
        if (n % 2 === 0) await agent!.says(/orch agent started!/, 10_000).catch(() => undefined);
        await pause(chance.whole(0, 1500));
        await agent!.kill('SIGKILL');
        agent = box.start('agent', '-config=client.hcl');
      }
    },
    engine: async () => {
      for (let n = 0; n < 2; n++) {
        await pause(chance.whole(2000, size.kills * 500));
        await engine.restart();
      }
    },
    server: async () => {
      await pause(chance.whole(2000, 8000));
      await server.kill('SIGKILL');
      await pause(size.awayMs);
      server = await startServer();
    },
  };
  const began = Date.now();
  await Promise.all([torture.agent(), torture.engine(), torture.server()]);
  await agent.says(/orch agent started!/);
  for (const group of groups.filter(({ job }) => job === 'steady')) {
    const count = Math.max(1, countOf(group) + chance.whole(-3, 3));
    wanted.set(group, count);
    await box.ok('job', 'scale', '-detach', 'steady', group.driver, String(count));
    await agent.kill('SIGKILL');
    agent = box.start('agent', '-config=client.hcl');
  }
  t.comment(`${size.kills + 3} kills of the agent, 2 of Docker, the server away for ${size.awayMs} ms: ${Date.now() - began} ms`);

  const all = async (): Promise<Run[]> => {
    const lists = await Promise.all(['steady', 'flaky', 'once'].map((job) => allocations(client, job)));
    for (const { metadata } of lists.flat()) seen.add(metadata.name);
    return lists.flat().map((allocation) => readRun(box, allocation));
  };
  const settled = async (): Promise<false | Run[]> => {
    const runs = await all();
    for (const { id } of runs) quieten(box, id);
    const alive = livingTasks(seen);
    return (
      runs.every((run) => isAtRest(run, alive)) &&
      groups.every(
        (group) => runs.filter((r) => r.group === group && r.allocation.spec.desired === 'run').length === wanted.get(group),
      ) && // prettier-ignore
      runs
    );
  };
  const runs = await box
    .eventually('everything has come to rest', settled, full ? 180_000 : 60_000)
    .catch(async (error: unknown) => {
      const left = await all();
      const alive = livingTasks(seen);
      const odd = left
        .filter((run) => !isAtRest(run, alive))
        .map((run) => ({ ...describe(run), alive: alive.get(run.id)?.length ?? 0 }));
      t.fail(String(error).split('\n')[0]!, { wanted: groups.map((g) => [g.job, g.driver, wanted.get(g), left.filter((r) => r.group === g).length]), odd: odd.slice(0, 10), agent: agent!.output.split('\n').slice(-40), engine: await engine.list() }); // prettier-ignore
      return left;
    });
  const alive = livingTasks(seen);

  t.same(
    runs.filter((r) => r.allocation.status?.phase === 'lost').map(describe),
    [],
    'the node was never given up: its agent was back within the grace period each time',
  );
  const wrong = (is: (run: Run) => boolean) => runs.filter(is).map(describe);
  t.same(
    groups.map((g) => [g.job, g.driver, runs.filter((r) => r.group === g && r.allocation.spec.desired === 'run').length]),
    groups.map((g) => [g.job, g.driver, wanted.get(g)]),
    'as many allocations as are wanted, none was lost or doubled',
  );
  t.same(
    wrong((run) => (alive.get(run.id)?.length ?? 0) !== (shouldLive(run) ? 1 : 0)),
    [],
    'what runs is what is wanted, once each',
  );
  t.same(
    wrong((run) => run.starts > run.exits.length + 1),
    [],
    'no task was started again without an exit of the one before',
  );
  t.same(
    wrong((run) => run.group.job === 'steady' && (run.starts > 1 || (run.group.driver !== 'docker' && restarts(run) > 0))),
    [],
    'a task that never ended was never restarted',
  );
  t.same(
    // The start of a container fails while the engine is away: that counts as a restart as well, and has no exit.
    wrong((run) => shouldLive(run) && (run.group.driver === 'docker' ? restarts(run) < run.exits.length : restarts(run) !== run.exits.length)), // prettier-ignore
    [],
    'every exit was reported, and once',
  );
  t.same(
    wrong((run) => run.group.job === 'once' && !(run.exits.length === 1 && run.task?.exitCode === run.exits[0])),
    [],
    'what ended for good ended with the code that the server was told',
  );
  t.same(
    runs.filter((r) => r.group.job === 'once' && (r.allocation.status?.phase === 'failed') !== (r.exits[0] !== 0)).map(describe),
    [],
    'and failed if its code says so',
  );

  for (const job of ['steady', 'flaky', 'once']) await box.ok('job', 'stop', '-detach', '-purge', job);
  await box.eventually('nothing is left of it', async () => livingTasks(seen).size === 0 && (await engine.list()).length === 0);
});
