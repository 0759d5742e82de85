/** What the scheduler and its controllers promise, on real processes: five agents, two of everything that elects a leader. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  AllocationKind,
  DeploymentKind,
  JobKind,
  NodeKind,
  SchedulerConfigurationKind,
  type Allocation,
  type AnyObject,
  type Kind,
  type Stored,
} from '../../openapi/index.ts';
import { Informers } from '../../client/index.ts';
import { silentLogger, systemClock } from '../../base/index.ts';
import { freePorts, Sandbox, type Process } from '../framework/orchctl.ts';

const parts = ['job', 'scheduler', 'deployment', 'node', 'periodic', 'gc'];

await t.test('scheduling on real processes', async (t) => {
  const [port] = await freePorts(1);
  const box = new Sandbox(`http://127.0.0.1:${port}`);
  t.teardown(() => box.close());
  const api = box.start('apiserver', `-data-dir=${join(box.dir, 'store')}`, `-listen=127.0.0.1:${port}`);
  await api.says(/serving/i);
  const startControllers = (): Process => box.start('controller', ...parts, `-server=${box.address}`);
  const leader = startControllers();
  await leader.says(/leadership acquired: lease=controller-periodic/);
  startControllers();
  const startAgent = (name: string): Process => box.start('node-agent', `-server=${box.address}`, `-data-dir=${join(box.dir, name)}`, `-name=${name}`, '-raw-exec'); // prettier-ignore
  const agents = new Map(['a', 'b', 'c', 'd'].map((name) => [name, startAgent(name)]));

  const client = box.client();
  const informers = new Informers({ client, clock: systemClock, log: silentLogger });
  t.teardown(async () => {
    await informers.close();
    client.close();
  });
  const where = <T extends AnyObject>(kind: Kind<T>, claim: (object: Stored<T>) => unknown, ms = 60_000): Promise<Stored<T>> =>
    informers.of(kind).until((cache) => cache.list().find(claim), AbortSignal.timeout(ms));
  const until = (claim: () => unknown, ms = 60_000): Promise<unknown> =>
    informers.of(AllocationKind).until(() => (claim() ? true : undefined), AbortSignal.timeout(ms));
  const of = (job: string): Stored<Allocation>[] => informers.of(AllocationKind).list().filter(({ spec }) => spec.jobName === job); // prettier-ignore
  const running = (job: string): Stored<Allocation>[] => of(job).filter(({ spec, status }) => spec.desired === 'run' && status?.phase === 'running'); // prettier-ignore
  const submit = (name: string, text: string, ...flags: string[]): Promise<string> => {
    writeFileSync(join(box.dir, `${name}.nomad`), text);
    return box.ok('job', 'run', '-detach', ...flags, `${name}.nomad`);
  };
  const nodeNamed = (name: string): Stored<Allocation>['metadata']['name'] => informers.of(NodeKind).list().find(({ spec }) => spec.name === name)!.metadata.name; // prettier-ignore
  await where(NodeKind, () => informers.of(NodeKind).list().filter(({ status }) => status?.phase === 'ready').length === 4); // prettier-ignore
  await informers.of(AllocationKind).synced;

  const job = (
    name: string,
    { type = 'service', more = '', group = '', count = 1, run = 'exec sleep 1000', resources = '' },
  ): string => `
    job "${name}" {
      type = "${type}"
      ${more}
      group "app" {
        count = ${count}
        restart { 
          attempts = 0
          mode     = "fail"
        }
        ${group}
        task "main" {
          driver       = "raw_exec"
          kill_timeout = "1s"
          config {
            command = "/bin/sh"
            args    = ["-c", "${run}"]
          }
          resources { 
            cpu    = 20
            memory = 32
            ${resources}
          }
        }
      }
    }`;

  await t.test('rebalance moves what keeps a node in use', async (t) => {
    const there = (node: string): string => `constraint { \n attribute = "\${node.unique.name}" \n value = "${node}" \n }`;
    const atOnce = 'update { \n max_parallel = 0 \n }';
    for (const [name, node] of Object.entries({ left: 'a', right: 'b' })) {
      await submit(name, job(name, { group: `${there(node)} \n ${atOnce}` }));
      await until(() => running(name).length === 1);
      await submit(name, job(name, { group: atOnce }));
      await until(() => running(name)[0]?.spec.jobVersion === 1);
    }
    const plan = await box.orchctl('rebalance', '-plan');
    t.equal(plan.code, 1);
    t.match(plan.stdout, /1 move would leave 1 of 2 nodes in use[^]*(left|right)\.app\[0\] +[ab] +[ab]/);
    t.match(await box.ok('rebalance', '-yes'), /Moving allocation[^]*Finished rebalance/);
    t.equal(new Set([...running('left'), ...running('right')].map(({ spec }) => spec.nodeName)).size, 1);
    t.match(await box.ok('rebalance', '-plan'), /Nothing to gain/);
    for (const name of ['left', 'right']) await box.ok('job', 'stop', '-purge', '-detach', name);
  });

  // Goes on in the background of everything below.
  await submit('tick', job('tick', { type: 'batch', more: 'periodic { \n crons = ["*/2 * * * * *"] \n }', run: 'exit 0' }));
  const reschedule = 'reschedule { \n delay = "5s" \n delay_function = "constant" \n unlimited = true \n }';
  await submit('flaky', job('flaky', { group: `${reschedule}\n update { \n max_parallel = 0 \n }`, run: 'exit 3' }));

  const rolling = (more: string): string => `update { \n max_parallel = 1 \n min_healthy_time = "1s" \n healthy_deadline = "20s" \n ${more} \n }`; // prettier-ignore
  const web = (run: string, more: string): string =>
    job('web', { count: 2, group: rolling(more), run: `${run}; exec sleep 1000` });
  const deployment = (name: string, version: number, phase: string) => where(DeploymentKind, ({ spec, status }) => spec.jobName === name && spec.jobVersion === version && status?.phase === phase); // prettier-ignore

  await t.test('a canary is promoted; one that fails takes the job back', async (t) => {
    await submit('web', web('true', 'canary = 1'));
    await deployment('web', 0, 'successful');
    await submit('web', web('true 1', 'canary = 1'));
    const waiting = await where(DeploymentKind, ({ spec, status }) => spec.jobVersion === 1 && spec.jobName === 'web' && status?.groups?.[0]?.healthy === 1); // prettier-ignore
    t.match(waiting.status, { description: 'Deployment is running but requires manual promotion' });
    t.equal(running('web').length, 3, 'the canary runs beside the others');
    await box.ok('job', 'promote', '-detach', 'web');
    await deployment('web', 1, 'successful');
    t.same(running('web').map(({ spec }) => spec.jobVersion), [1, 1]); // prettier-ignore

    await submit('web', web('exit 1', 'canary = 1 \n auto_revert = true \n progress_deadline = "0s"'));
    const failed = await deployment('web', 2, 'failed');
    t.equal(failed.status?.description, 'Failed due to unhealthy allocations - rolling back to job version 1');
    await where(JobKind, ({ metadata, status }) => metadata.name === 'web' && status?.version === 3 && status.stable === true);
    await until(() => running('web').length === 2);
    t.ok(running('web').every(({ spec }) => spec.jobVersion === 3));
  });

  await t.test('no progress fails a deployment at its deadline', async (t) => {
    // A second of health is more than a task has that ends at once.
    const slow = 'update { \n min_healthy_time = "1s" \n healthy_deadline = "2s" \n progress_deadline = "4s" \n }';
    await submit('stuck', job('stuck', { group: `${reschedule}\n${slow}`, run: 'exit 1' }));
    t.equal((await deployment('stuck', 0, 'failed')).status?.description, 'Failed due to progress deadline');
    await box.ok('job', 'stop', '-detach', 'stuck');
  });

  await t.test('a system job follows a node that joins', async (t) => {
    await submit('everywhere', job('everywhere', { type: 'system' }));
    await until(() => running('everywhere').length === 4);
    agents.set('e', startAgent('e'));
    await until(() => running('everywhere').length === 5);
    t.equal(new Set(running('everywhere').map(({ spec }) => spec.nodeName)).size, 5);
    await box.ok('job', 'stop', '-detach', 'everywhere');
  });

  await t.test(
    'what is more important displaces what is less; what was displaced is placed as soon as there is room',
    async (t) => {
      await client.create(SchedulerConfigurationKind, { metadata: { name: 'default' }, spec: { schedulerAlgorithm: 'binpack', memoryOversubscription: true, preemption: { service: true, system: true, batch: false, sysbatch: false } } }); // prettier-ignore
      const memory = informers.of(NodeKind).list()[0]!.status!.resources!.memoryMB!;
      const big = (mb: number): string => `memory = ${mb}`;
      const all = (text: string): string => text.replace(/memory = 32\n/, '');
      await submit('low', all(job('low', { count: 5, more: 'priority = 20', group: 'update { \n max_parallel = 0 \n }', resources: big(memory - 1500) }))); // prettier-ignore
      await until(() => running('low').length === 5);
      await submit('high', all(job('high', { more: 'priority = 90', resources: big(memory - 1400) })));
      await until(() => running('high').length === 1);
      const victim = of('low').find(({ spec }) => spec.desired === 'evict');
      t.match(victim, { spec: { preemptedByAllocation: of('high')[0]!.metadata.name } });
      await where(JobKind, ({ metadata, status }) => metadata.name === 'low' && status?.groups?.[0]?.queued === 1);

      let freed = 0;
      let placed = 0;
      informers.of(AllocationKind).on({
        modified: ({ spec }) => {
          if (spec.jobName === 'high' && spec.desired === 'stop') freed ||= performance.now();
        },
        added: ({ spec }) => {
          if (spec.jobName === 'low') placed ||= performance.now();
        },
      });
      placed = 0;
      await box.ok('job', 'stop', '-detach', 'high');
      await until(() => running('low').length === 5);
      t.comment(`placed ${Math.round(placed - freed)} ms after there was room`);
      // 200 ms is what it takes at most on a machine that has time; this one may have none.
      t.ok(placed - freed < 2000, `within two seconds: ${placed - freed}`);
      await box.ok('job', 'stop', '-detach', 'low');
      await client.delete(SchedulerConfigurationKind, 'default');
    },
  );

  await t.test('periodic launches go on when the leader is killed, each instant once', async (t) => {
    await leader.kill('SIGKILL');
    const at = (): number[] => informers.of(JobKind).list().flatMap(({ spec }) => (spec.parentID === 'tick' ? [Number(spec.id!.split('-').at(-1))] : [])).sort((x, y) => x - y); // prettier-ignore
    const before = at().length;
    await where(JobKind, () => at().length > before + 8, 90_000);
    const launched = at();
    t.same(
      launched,
      Array.from({ length: launched.length }, (_, i) => launched[0]! + 2 * i),
    );
    await until(() => informers.of(AllocationKind).list().some(({ spec, status }) => spec.jobName.startsWith('tick:') && status?.phase === 'complete')); // prettier-ignore
    await box.ok('job', 'stop', '-detach', 'tick');
    await until(() => of('flaky').length >= 3);
    const [, second] = of('flaky').sort((x, y) => Date.parse(x.metadata.creationTimestamp) - Date.parse(y.metadata.creationTimestamp)); // prettier-ignore
    t.match(second?.spec.rescheduleTracker, [{ delay: '5s' }], 'what fails is placed again after its delay');
    await box.ok('job', 'stop', '-detach', 'flaky');
  });

  await t.test('three of five nodes are drained, a batch job finishes first', async (t) => {
    const migrate = 'migrate { \n max_parallel = 1 \n min_healthy_time = "0s" \n }\n update { \n max_parallel = 0 \n }';
    const spread =
      'constraint { \n operator = "distinct_hosts" \n value = "false" \n }\n spread { \n attribute = "$${node.unique.id}" \n }';
    await submit('site', job('site', { count: 5, group: migrate, more: spread.replaceAll('$$', '$') }));
    await submit('work', job('work', { type: 'batch', count: 5, more: spread.replaceAll('$$', '$'), run: 'exec sleep 6' }));
    await until(() => running('site').length === 5 && running('work').length === 5);
    let fewest = 5;
    const count = (): unknown => (fewest = Math.min(fewest, running('site').length));
    const stop = informers.of(AllocationKind).on({ added: count, modified: count });
    const drained = ['a', 'b', 'c'].map(nodeNamed);
    await Promise.all(drained.map((id) => box.ok('node', 'drain', '-enable', '-yes', '-detach', '-deadline', '2m', id)));
    await where(NodeKind, () => drained.every((id) => informers.of(NodeKind).get(id)?.status?.drain?.phase === 'complete'), 100_000); // prettier-ignore
    stop();
    t.ok(fewest >= 4, `never more than one of five is away: ${fewest}`);
    t.ok(running('site').every(({ spec }) => !drained.includes(spec.nodeName)));
    t.ok(of('work').every(({ status, spec }) => status?.phase === 'complete' && spec.previousAllocation === undefined), 'no work was cut short'); // prettier-ignore
    await Promise.all(drained.map((id) => box.ok('node', 'eligibility', '-enable', id)));
    await box.ok('job', 'stop', '-detach', 'site');
  });

  await t.test('a node that is away and returns, with and without disconnect', async (t) => {
    const only = 'constraint { \n attribute = "$${node.unique.name}" \n operator = "regexp" \n value = "^(a|b)$" \n }'.replaceAll('$$', '$'); // prettier-ignore
    const plain = 'update { \n max_parallel = 0 \n }';
    await submit('kept', job('kept', { more: only, group: `${plain}\n disconnect { \n lost_after = "1h" \n reconcile = "keep_original" \n }` })); // prettier-ignore
    await submit('moved', job('moved', { more: only, count: 2, group: plain }));
    await until(() => running('kept').length === 1 && running('moved').length === 2);
    const [original] = running('kept');
    const name = informers.of(NodeKind).get(original!.spec.nodeName)!.spec.name!;
    const there = running('moved').filter(({ spec }) => spec.nodeName === original!.spec.nodeName);
    process.kill(agents.get(name)!.pid, 'SIGSTOP');
    await where(NodeKind, ({ spec, status }) => spec.name === name && status?.phase === 'disconnected', 90_000);
    await until(() => of('kept').some(({ status }) => status?.phase === 'unknown') && running('kept').length === 1);
    await until(() => of('moved').filter(({ status }) => status?.phase === 'lost').length === there.length && running('moved').length === 2); // prettier-ignore
    process.kill(agents.get(name)!.pid, 'SIGCONT');
    await until(() => running('kept').length === 1 && running('kept')[0]!.metadata.name === original!.metadata.name);
    await until(() => of('kept').every(({ metadata, spec }) => metadata.name === original!.metadata.name || spec.desired === 'stop')); // prettier-ignore
    t.equal(running('kept')[0]!.status?.tasks?.[0]?.restarts ?? 0, 0, 'its task was not restarted');
    t.equal(running('moved').length, 2);
    await Promise.all(['kept', 'moved', 'web'].map((id) => box.ok('job', 'stop', '-detach', id)));
    await until(() => informers.of(AllocationKind).list().every(({ status }) => status?.phase !== 'running')); // prettier-ignore
  });
});
