import { isReason } from '../../../base/index.ts';
import {
  SchedulerConfigurationKind,
  type SchedulerConfiguration,
  type SchedulerConfigurationSpec,
  type Stored,
} from '../../../openapi/index.ts';
import { defineClusterCommand, flag, noArguments, type ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { pairs } from '../../io/columns.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { hint, say } from '../../io/streams.ts';
import { submitting } from '../../submit.ts';

/** The one that counts. */
const NAME = 'default';

const find = (context: ClusterContext): Promise<Stored<SchedulerConfiguration> | undefined> =>
  context.client.find(SchedulerConfigurationKind, NAME);

/** With what holds where nothing is said. */
function settings(spec: Partial<SchedulerConfigurationSpec> = {}) {
  const { system = true, sysbatch = false, batch = false, service = false } = spec.preemption ?? {};
  return {
    algorithm: spec.schedulerAlgorithm ?? 'binpack',
    memoryOversubscription: spec.memoryOversubscription ?? true,
    reject: spec.rejectJobRegistration ?? false,
    pause: spec.pauseEvalBroker ?? false,
    preemption: { system, sysbatch, batch, service },
  };
}

const indexOf = (stored: Stored<SchedulerConfiguration> | undefined): number => Number(stored?.metadata.resourceVersion ?? 0);

export const operatorSchedulerGetConfig = defineClusterCommand({
  name: 'operator scheduler get-config',
  summary: 'Show how the scheduler works',
  usage: '[options]',
  description: 'A node pool may say otherwise for its nodes: "node pool info".',
  examples: [{ text: 'As it is', command: 'operator scheduler get-config' }],
  args: noArguments,
  flags: formatFlags,
  async run({ flags }, context) {
    const stored = await find(context);
    const { algorithm, memoryOversubscription, reject, pause, preemption } = settings(stored?.spec);
    const index = indexOf(stored);
    if (wantsData(flags))
      return sayData(context, flags, {
        SchedulerConfig: {
          SchedulerAlgorithm: algorithm,
          PreemptionConfig: {
            SystemSchedulerEnabled: preemption.system,
            SysBatchSchedulerEnabled: preemption.sysbatch,
            BatchSchedulerEnabled: preemption.batch,
            ServiceSchedulerEnabled: preemption.service,
          },
          MemoryOversubscriptionEnabled: memoryOversubscription,
          RejectJobRegistration: reject,
          PauseEvalBroker: pause,
          CreateIndex: index,
          ModifyIndex: index,
        },
      });
    say(
      context,
      pairs([
        ['Scheduler Algorithm', algorithm],
        ['Memory Oversubscription', memoryOversubscription],
        ['Reject Job Registration', reject],
        ['Pause Eval Broker', pause],
        ['Preemption System Scheduler', preemption.system],
        ['Preemption Service Scheduler', preemption.service],
        ['Preemption Batch Scheduler', preemption.batch],
        ['Preemption SysBatch Scheduler', preemption.sysbatch],
        ['Modify Index', index],
      ]),
    );
  },
});

const truth = (description: string) => flag.string('<true|false>', description, { implied: 'true' });

export const operatorSchedulerSetConfig = defineClusterCommand({
  name: 'operator scheduler set-config',
  summary: 'Change how the scheduler works',
  usage: '[options]',
  description: 'What is not named stays as it is. It holds at once, for what is placed from now on.',
  examples: [
    { text: 'Spread allocations over the nodes', command: 'operator scheduler set-config -scheduler-algorithm=spread' },
    { text: 'Let important services displace others', command: 'operator scheduler set-config -preempt-service-scheduler=true' },
    { text: 'Hold everything back for a while', command: 'operator scheduler set-config -pause-eval-broker=true' },
  ],
  args: noArguments,
  flags: {
    schedulerAlgorithm: flag.string('<name>', 'How nodes are filled: binpack or spread.'),
    memoryOversubscription: truth('Whether memory_max of tasks is granted.'),
    rejectJobRegistration: truth('Whether new jobs, changes of jobs and dispatches are refused. Jobs can still be stopped.'),
    pauseEvalBroker: truth('Whether the scheduler takes up nothing but dry runs.'),
    preemptSystemScheduler: truth('Whether system jobs may displace others.'),
    preemptServiceScheduler: truth('Whether service jobs may.'),
    preemptBatchScheduler: truth('Whether batch jobs may.'),
    preemptSysbatchScheduler: truth('Whether sysbatch jobs may.'),
    checkIndex: flag.integer('<index>', 'Only if this is still the modify index that get-config shows.'),
  },
  async run({ flags }, context) {
    const { schedulerAlgorithm } = flags;
    if (schedulerAlgorithm !== undefined && schedulerAlgorithm !== 'binpack' && schedulerAlgorithm !== 'spread')
      throw new CommandError(`-scheduler-algorithm must be binpack or spread, not "${schedulerAlgorithm}"`);
    const preemption = given({
      system: boolean('preempt-system-scheduler', flags.preemptSystemScheduler),
      service: boolean('preempt-service-scheduler', flags.preemptServiceScheduler),
      batch: boolean('preempt-batch-scheduler', flags.preemptBatchScheduler),
      sysbatch: boolean('preempt-sysbatch-scheduler', flags.preemptSysbatchScheduler),
    });
    const spec = given({
      schedulerAlgorithm,
      memoryOversubscription: boolean('memory-oversubscription', flags.memoryOversubscription),
      rejectJobRegistration: boolean('reject-job-registration', flags.rejectJobRegistration),
      pauseEvalBroker: boolean('pause-eval-broker', flags.pauseEvalBroker),
      preemption: Object.keys(preemption).length === 0 ? undefined : preemption,
    }) as Partial<SchedulerConfigurationSpec>;
    if (Object.keys(spec).length === 0)
      throw new CommandError(`Say what to change. For what there is try '${context.program} operator scheduler set-config -h'`);
    await submitting(context, 'Error setting scheduler configuration', () => write(context, spec, flags.checkIndex));
    say(context, 'Scheduler configuration updated!');
    if (spec.pauseEvalBroker === true) hint(context, `Evaluations wait until: ${context.program} operator scheduler set-config -pause-eval-broker=false`); // prettier-ignore
  },
});

async function write(
  context: ClusterContext,
  spec: Partial<SchedulerConfigurationSpec>,
  checkIndex: number | undefined,
): Promise<void> {
  const { client } = context;
  const stored = await find(context);
  const stale = (): CommandError =>
    new CommandError(
      `the index is ${indexOf(stored)} and not ${checkIndex}: somebody changed it. See: ${context.program} operator scheduler get-config`,
    );
  if (checkIndex !== undefined && checkIndex !== indexOf(stored)) throw stale();
  try {
    if (stored === undefined) {
      await client.create(SchedulerConfigurationKind, { metadata: { name: NAME }, spec: spec as SchedulerConfigurationSpec });
      return;
    }
    const metadata = checkIndex === undefined ? {} : { metadata: { resourceVersion: stored.metadata.resourceVersion } };
    await client.patch(SchedulerConfigurationKind, NAME, undefined, { ...metadata, spec });
  } catch (error) {
    if (checkIndex !== undefined && isReason(error, 'Conflict', 'AlreadyExists')) throw stale();
    // Somebody else created it just now: theirs is changed.
    if (stored === undefined && isReason(error, 'AlreadyExists'))
      await client.patch(SchedulerConfigurationKind, NAME, undefined, { spec });
    else throw error;
  }
}

function boolean(name: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (/^(true|t|1)$/i.test(text)) return true;
  if (/^(false|f|0)$/i.test(text)) return false;
  throw new CommandError(`-${name} must be true or false, not "${text}"`);
}

/** What is said; the rest stays as it is. */
const given = <T extends Record<string, unknown>>(object: T): Partial<T> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<T>;
