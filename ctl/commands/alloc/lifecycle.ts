import { uuid } from '../../../base/index.ts';
import {
  AllocationKind,
  EvaluationKind,
  JobKind,
  type Allocation,
  type Evaluation,
  type Stored,
} from '../../../openapi/index.ts';
import { tellAgent } from '../../agent-api.ts';
import { defineClusterCommand, flag, oneArgument } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { say } from '../../io/streams.ts';
import { findAllocation, namespaceOf } from '../../lookup.ts';
import { monitorEvaluation } from '../../monitor/evaluation.ts';
import { submitting } from '../../submit.ts';
import { clientStatus } from '../../views/lists.ts';
import { detach, verbose } from '../options.ts';
import { pickTask } from './pick.ts';

export const allocStop = defineClusterCommand({
  name: 'alloc stop',
  summary: 'Stop an allocation and place another one for it',
  usage: '[options] <allocation>',
  description: 'The job goes on: the scheduler replaces the allocation. To stop the job there is "job stop".',
  examples: [{ text: 'Stop one', command: 'alloc stop c1488bb5' }],
  args: oneArgument('alloc-id'),
  completes: 'allocation',
  flags: { noShutdownDelay: flag.boolean('Do not wait for shutdown_delay.'), detach, verbose },
  next: ({ args: [id] }) => ({ text: 'See what takes its place', command: `alloc status ${id}` }),
  async run({ args: [id], flags }, context) {
    const { client } = context;
    const allocation = await findAllocation(context, id!);
    const namespace = namespaceOf(allocation);
    const job = await client.find(JobKind, allocation.spec.jobName, namespace);
    const evaluation = uuid();
    const asked: Evaluation = {
      apiVersion: EvaluationKind.apiVersion,
      kind: EvaluationKind.kind,
      metadata: { name: evaluation, namespace },
      spec: {
        jobName: allocation.spec.jobName,
        jobUID: allocation.spec.jobUID,
        trigger: 'alloc-stop',
        priority: job?.spec.priority ?? allocation.spec.priority ?? 50,
        type: allocation.spec.jobType ?? 'service',
      },
    };
    await submitting(context, 'Error stopping allocation', () =>
      client.batch([
        {
          operation: 'patch',
          apiVersion: AllocationKind.apiVersion,
          kind: AllocationKind.kind,
          namespace,
          name: allocation.metadata.name,
          patch: { spec: { desiredTransition: { migrate: true, ...(flags.noShutdownDelay && { noShutdownDelay: true }) } } },
        },
        { operation: 'create', object: asked },
      ]),
    );
    if (flags.detach) {
      say(context, evaluation);
      return 0;
    }
    return monitorEvaluation(context, evaluation, { namespace, verbose: flags.verbose });
  },
});

export const allocRestart = defineClusterCommand({
  name: 'alloc restart',
  summary: 'Restart the tasks of an allocation where they are',
  usage: '[options] <allocation> [<task>]',
  description: 'All running tasks, or the one named. Not counted as a failure.',
  examples: [{ text: 'Only one task', command: 'alloc restart 4fef9fed redis' }],
  args: { min: 1, max: 2, rule: 'This command takes one or two arguments: <alloc-id> <task>' },
  completes: 'allocation',
  flags: { task: flag.string('<name>', 'The task.'), verbose },
  next: ({ args: [id] }) => ({ text: 'See how its tasks do', command: `alloc status ${id}` }),
  async run({ args: [id, named], flags }, context) {
    const allocation = await findAllocation(context, id!);
    const task = named ?? flags.task;
    mustRun(allocation, task, 'Failed to restart allocation');
    const body = task === undefined ? {} : { task: pickTask(allocation, task) };
    await submitting(context, 'Failed to restart allocation', () => tellAgent(context, allocation, 'restart', body));
  },
});

/** What has ended hears no signal. */
function mustRun(allocation: Stored<Allocation>, named: string | undefined, what: string): void {
  const tasks = (allocation.status?.tasks ?? []).filter(({ name }) => named === undefined || name === named);
  if (named !== undefined) pickTask(allocation, named);
  if (tasks.some(({ state }) => state === 'running')) return;
  const id = allocation.metadata.name.slice(0, 8);
  const status = clientStatus(allocation);
  throw new CommandError(
    named === undefined
      ? `${what}: Task not running: no task of allocation "${id}" runs (${status})`
      : `${what}: Task not running: task "${named}" of allocation "${id}" is ${tasks[0]?.state ?? 'pending'} (allocation ${status})`,
  );
}

export const allocSignal = defineClusterCommand({
  name: 'alloc signal',
  summary: 'Send a signal to the tasks of an allocation',
  usage: '[options] <allocation> [<task>]',
  description: 'All running tasks, or the one named.',
  examples: [{ text: 'Have a task read its configuration again', command: 'alloc signal -s SIGHUP 4fef9fed web' }],
  args: { min: 1, max: 2, rule: 'This command takes up to two arguments: <alloc-id> <task>' },
  completes: 'allocation',
  flags: {
    s: flag.string('<signal>', 'The signal. Default SIGKILL.', { also: ['signal'] }),
    task: flag.string('<name>', 'The task.'),
    verbose,
  },
  next: ({ args: [id] }) => ({ text: 'See what they make of it', command: `logs ${id}` }),
  async run({ args: [id, named], flags }, context) {
    const signal = (flags.s ?? 'SIGKILL').toUpperCase();
    if (!/^(SIG)?[A-Z0-9+]+$/.test(signal)) throw new CommandError(`"${flags.s}" is not the name of a signal`);
    const allocation = await findAllocation(context, id!);
    const task = named ?? flags.task;
    mustRun(allocation, task, 'Error signalling allocation');
    await submitting(context, 'Error signalling allocation', () =>
      tellAgent(context, allocation, 'signal', {
        signal: signal.startsWith('SIG') ? signal : `SIG${signal}`,
        ...(task !== undefined && { task: pickTask(allocation, task) }),
      }),
    );
  },
});
