import t from 'tap';
import { toTimestamp } from '../../../base/index.ts';
import { uuidSource } from '../../../controllers/scheduler/plan/ids.ts';
import { labelValue } from '../../../controllers/scheduler/plan/objects.ts';
import { Reservation } from '../../../controllers/scheduler/plan/write.ts';
import { BlockedEvaluations } from '../../../controllers/scheduler/queue/blocked.ts';
import { Broker } from '../../../controllers/scheduler/queue/broker.ts';
import { job, node, START, World, type GroupOptions } from './world.ts';

const world = new World();
const names = (broker: Broker, now = START): string[] => {
  const taken: string[] = [];
  for (let entry = broker.take(now); entry !== undefined; entry = broker.take(now)) taken.push(entry.name);
  return taken;
};

t.test('broker', async (t) => {
  t.test('the most urgent first, then the oldest; one per job', async (t) => {
    const broker = new Broker();
    for (const [name, jobName, priority] of [
      ['a', 'one', 50],
      ['b', 'two', 80],
      ['c', 'one', 90],
      ['d', 'three', 50],
    ] as const)
      broker.offer(world.evaluation({ jobName, priority }, name), START);
    t.same(names(broker), ['c', 'b', 'd']);
    t.same(broker.done('c'), []);
    t.same(names(broker), ['a'], 'the next of the job, once the first is done');
  });

  t.test('superseded ones are cancelled, the newest of each kind is kept', async (t) => {
    const broker = new Broker();
    const offer = (name: string, trigger: 'job-register' | 'deployment-watcher') =>
      broker.offer(world.evaluation({ trigger }, name), START);
    offer('first', 'job-register');
    t.same(names(broker), ['first']);
    offer('second', 'job-register');
    offer('third', 'job-register');
    offer('fourth', 'deployment-watcher');
    offer('fifth', 'deployment-watcher');
    t.same(
      broker
        .done('first')
        .map((e) => e.metadata.name)
        .sort(),
      ['fourth', 'second'],
    );
    t.same(names(broker), ['third']);
    broker.done('third');
    t.same(names(broker), ['fifth']);
    t.equal(broker.size, 1);
  });

  t.test('delayed ones wait for their time', async (t) => {
    const broker = new Broker();
    broker.offer(world.evaluation({ waitUntil: toTimestamp(START + 1000) }, 'later'), START);
    broker.offer(world.evaluation({ waitUntil: toTimestamp(START + 500), jobName: 'other' }, 'sooner'), START);
    t.equal(broker.nextWake(), START + 500);
    t.same([...broker.followups('default/job', START)], [['later', START + 1000]]);
    t.same(names(broker, START + 999), ['sooner']);
    t.same(names(broker, START + 1000), ['later']);
    t.same([...broker.followups('default/job', START + 1000)], []);
  });

  t.test('given back, they come again after a while', async (t) => {
    const broker = new Broker();
    broker.offer(world.evaluation({}, 'a'), START);
    broker.offer(world.evaluation({}, 'b'), START);
    t.same(names(broker), ['a']);
    broker.retry('a', START + 100, START);
    t.same(names(broker), ['b'], 'the job is free meanwhile');
    broker.done('b');
    const again = broker.take(START + 100);
    t.match(again, { name: 'a', attempts: 1 });
  });

  t.test('withdrawn ones do not come', async (t) => {
    const broker = new Broker();
    broker.offer(world.evaluation({}, 'a'), START);
    broker.offer(world.evaluation({ jobName: 'x', waitUntil: toTimestamp(START + 10) }, 'b'), START);
    broker.withdraw('a');
    broker.withdraw('b');
    t.same(names(broker, START + 20), []);
    t.equal(broker.nextWake(), undefined);
    t.equal(broker.size, 0);
  });

  t.test('dry runs wait for nobody', async (t) => {
    const broker = new Broker();
    broker.offer(world.evaluation({}, 'a'), START);
    broker.offer(world.evaluation({ dryRun: { job: job({}) } }, 'dry'), START);
    t.same(names(broker), ['a', 'dry']);
    broker.offer(world.evaluation({}, 'b'), START);
    broker.offer(world.evaluation({ dryRun: { job: job({}) } }, 'dry2'), START);
    t.equal(broker.takeDryRun(START)?.name, 'dry2', 'also while all else is held back');
    t.equal(broker.takeDryRun(START), undefined);
    broker.retry('dry2', START + 10, START);
    broker.offer(world.evaluation({ waitUntil: toTimestamp(START + 5) }, 'late'), START);
    t.equal(broker.nextWake() !== undefined, true);
    t.equal(broker.takeDryRun(START + 9), undefined);
    t.equal(broker.takeDryRun(START + 10)?.name, 'dry2', 'again when its time has come');
    t.equal(broker.nextWake(), undefined, 'and nothing that fell due is left to wake for');
  });

  t.test('what waited for capacity gives way to anything newer', async (t) => {
    const broker = new Broker();
    broker.offer(world.evaluation({}, 'new'), START);
    broker.offer(world.evaluation({}, 'newer'), START);
    broker.offer({ ...world.evaluation({ trigger: 'queued-allocs' }, 'blocked'), status: { phase: 'blocked' } }, START);
    t.same(broker.unblocked('default/job'), ['blocked']);
    t.same(names(broker), ['new']);
    t.same(
      broker.done('new').map((e) => e.metadata.name),
      ['blocked'],
    );
    t.same(names(broker), ['newer']);
  });
});

t.test('blocked evaluations', async (t) => {
  const blockedOn = (nodes: ReturnType<typeof node>[], options: GroupOptions) => {
    const world = new World(nodes).submit(job(options));
    const plan = world.run();
    const [evaluation] = [...world.evaluations.values()];
    const blocked = new BlockedEvaluations(world.cluster);
    blocked.add('default/job', evaluation!, plan.missing);
    const woken = (...names: string[]): boolean => blocked.helpedBy(names).length > 0;
    return { world, plan, evaluation: evaluation!, woken };
  };

  t.test('what is missing is told', async (t) => {
    const { plan, evaluation } = blockedOn([node('a')], { count: 3, memory: 5000 });
    t.equal(plan.status.phase, 'complete');
    t.equal(plan.status.blockedEvaluation, evaluation.metadata.name);
    t.same(plan.status.queued, { app: 2 });
    t.match(evaluation, {
      spec: { trigger: 'queued-allocs' },
      status: { phase: 'blocked', queued: { app: 2 }, description: 'created to place remaining allocations' },
    });
    t.same(Object.values(evaluation.status!.classEligibility!), [true]);
    t.equal(evaluation.status!.escapedClass, false);
  });

  t.test('woken by room that suffices, by no other', async (t) => {
    const { world, woken } = blockedOn([node('a')], { count: 3, memory: 5000 });
    t.notOk(woken('a'));
    world.cluster.putNode(node('small', { memory: 4000 }));
    t.notOk(woken('small'));
    world.cluster.putNode(node('wrong', { drivers: ['docker'] }));
    t.notOk(woken('wrong'));
    world.cluster.putNode(node('ineligible', { eligibility: 'ineligible' }));
    t.notOk(woken('ineligible'));
    world.cluster.putNode(node('good'));
    t.ok(woken('a', 'good'));
  });

  t.test('woken by a freed port', async (t) => {
    const { world, woken } = blockedOn([node('a')], { count: 2, networks: [{ ports: [{ label: 'db', static: 5432 }] }] });
    t.notOk(woken('a'));
    const freed: string[] = [];
    world.cluster.allocations.onFreed((name) => freed.push(name));
    world.change(world.live()[0]!, { phase: 'failed' });
    t.same(freed, ['a']);
    t.ok(woken('a'));
  });

  t.test('woken by room that is enough beside that of what is to be replaced', async (t) => {
    const world = new World([node('a', { cpu: 1000 })]);
    const jobs = { web: 400, other: 300, rest: 300 };
    for (const [id, cpu] of Object.entries(jobs)) {
      world.submit(job({ cpu }, { id })).run(world.evaluation({ jobName: id }));
      world.settle(id);
    }
    const plan = world.submit(job({ cpu: 700 }, { id: 'web' })).run(world.evaluation({ jobName: 'web' }));
    const blocked = new BlockedEvaluations(world.cluster);
    blocked.add('default/web', [...world.evaluations.values()][0]!, plan.missing);
    t.same([plan.placements.length, world.live('web').length], [0, 1], 'the old one goes on meanwhile');
    t.same(blocked.helpedBy(['a']), []);
    world.change(world.live('other')[0]!, { desired: 'stop' });
    t.same(blocked.helpedBy(['a']), [], 'not by what is only told to stop');
    world.change(world.allocations('other')[0]!, { phase: 'complete' });
    t.equal(blocked.helpedBy(['a']).length, 1);
    t.equal(world.run(world.evaluation({ jobName: 'web' })).placements.length, 1);
  });

  t.test('woken when a plan is refused that had reserved the room', async (t) => {
    const world = new World([node('a', { cpu: 1000 })]).submit(job({ cpu: 600 }));
    const freed: string[] = [];
    world.cluster.allocations.onFreed((name) => freed.push(name));
    const reservation = new Reservation(world.cluster, world.plan());
    t.same(freed, []);
    reservation.rollback();
    t.same(freed, ['a']);
  });

  t.test('distinct_hosts is not helped by room on a node that is used', async (t) => {
    const { world, woken } = blockedOn([node('a')], { count: 2, constraints: [{ operator: 'distinct_hosts' }] });
    t.notOk(woken('a'));
    world.cluster.putNode(node('b'));
    t.ok(woken('b'));
  });

  t.test('distinct_property is not helped by room where its value is used up', async (t) => {
    const rack = (name: string) => ({ meta: { rack: name } });
    const { world, woken } = blockedOn([node('a', rack('r1'))], { count: 2, constraints: [{ operator: 'distinct_property', attribute: '${meta.rack}' }] }); // prettier-ignore
    world.cluster.putNode(node('b', rack('r1')));
    world.cluster.putNode(node('c'));
    t.notOk(woken('a', 'b', 'c'));
    world.cluster.putNode(node('d', rack('r2')));
    t.ok(woken('d'));
  });

  t.test('tried again: stays blocked, or ends with everything placed', async (t) => {
    const { world, evaluation } = blockedOn([node('a')], { count: 3, memory: 5000 });
    const again = world.run(evaluation);
    t.equal(again.status.phase, 'blocked');
    t.equal(again.evaluations.length, 0, 'no second one');
    world.cluster.putNode(node('b'));
    world.cluster.putNode(node('c'));
    const placed = world.run(evaluation);
    t.equal(placed.status.phase, 'complete');
    t.equal(placed.placements.length, 2);
    t.equal(placed.placements[0]!.object.spec.evaluation, evaluation.metadata.name);
  });

  t.test('a newer evaluation of the job makes it pointless', async (t) => {
    const { world, evaluation } = blockedOn([node('a')], { count: 3, memory: 5000 });
    const plan = world.submit(job({ count: 1, memory: 5000 })).run();
    t.same([...plan.cancelled.keys()], [evaluation.metadata.name]);
  });
});

t.test('names of allocations follow from their evaluation', async (t) => {
  const next = uuidSource('a', 1);
  const ids = Array.from({ length: 1000 }, next);
  t.ok(ids.every((id) => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)));
  t.equal(new Set(ids).size, 1000);
  t.equal(uuidSource('a', 1)(), ids[0]);
  t.not(uuidSource('a', 2)(), ids[0]);
});

t.test('names as values of labels', (t) => {
  t.equal(labelValue('web'), 'web');
  t.equal(labelValue('nightly:periodic-1767225660'), 'nightly.periodic-1767225660', 'what a label cannot hold becomes a dot');
  t.equal(labelValue(':a b:'), 'a.b', 'it begins and ends with a letter or digit');
  const [long, other] = [labelValue('x'.repeat(80)), labelValue(`${'x'.repeat(79)}y`)];
  t.equal(long.length, 63);
  t.not(long, other, 'long names stay apart');
  t.end();
});
