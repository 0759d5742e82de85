import { DeploymentKind, type Deployment, type Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, oneArgument } from '../../command.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { say } from '../../io/streams.ts';
import { findDeployment, listAll, namespaceOf } from '../../lookup.ts';
import { followDeployment } from '../../monitor/deployment.ts';
import { monitorLines } from '../../monitor/lines.ts';
import { deploymentStatus as statusView } from '../../views/deployment.ts';
import { deploymentTable } from '../../views/lists.ts';
import { view } from '../../views/view.ts';
import { CommandError, Interrupted } from '../../errors.ts';
import { allNamespaces, detach, filter, filtered, verbose } from '../options.ts';
import { wish } from './wish.ts';

export const deploymentList = defineClusterCommand({
  name: 'deployment list',
  summary: 'List deployments',
  usage: '[options]',
  args: { min: 0, max: 0, rule: 'This command takes no arguments' },
  examples: [
    { text: 'All deployments', command: 'deployment list' },
    { text: 'Those that failed', command: `deployment list -filter 'Status == "failed"'` },
  ],
  flags: { filter, ...formatFlags, verbose, allNamespaces },
  async run({ flags }, context) {
    const all = flags.allNamespaces || context.listNamespace === undefined;
    const found = await listAll({ ...context, listNamespace: all ? undefined : context.listNamespace }, DeploymentKind);
    const deployments = await filtered(found, flags.filter, async (one) => (await nomadForm([one]))[0]);
    if (wantsData(flags)) return sayData(context, flags, await nomadForm(deployments));
    say(context, deployments.length === 0 ? 'No deployments found' : deploymentTable(deployments, flags, all));
  },
});

export const deploymentStatus = defineClusterCommand({
  name: 'deployment status',
  summary: 'Show a deployment',
  usage: '[options] <deployment>',
  examples: [{ text: 'Follow it to its end', command: 'deployment status -monitor 9fa81f27' }],
  args: { min: 0, max: 1, rule: 'This command takes one argument: <deployment id>' },
  completes: 'deployment',
  flags: { ...formatFlags, verbose, monitor: flag.boolean('Follow it to its end.') },
  async run({ args: [id], flags }, context) {
    if (id === undefined) {
      const all = await listAll(context, DeploymentKind);
      if (wantsData(flags)) return sayData(context, flags, await nomadForm(all));
      return say(context, all.length === 0 ? 'No deployments found' : deploymentTable(all, flags));
    }
    const deployment = await findDeployment(context, id);
    if (wantsData(flags)) return sayData(context, flags, (await nomadForm([deployment]))[0]);
    if (flags.monitor)
      return context.interruptible(async (signal) => {
        const options = { namespace: namespaceOf(deployment), verbose: flags.verbose };
        const code = await followDeployment(context, deployment.metadata.name, options, monitorLines(context), signal);
        if (signal.aborted) throw new Interrupted('\nStopped watching; the deployment goes on.');
        return code;
      });
    say(context, statusView(deployment, view(context.clock.now(), flags.verbose, context.style)));
  },
});

export async function nomadForm(deployments: readonly Stored<Deployment>[]): Promise<Record<string, unknown>[]> {
  const { nomadDeployment } = await import('../../nomad/deployment.ts');
  return deployments.map(nomadDeployment);
}

export const deploymentFail = defineClusterCommand({
  name: 'deployment fail',
  summary: 'Give a deployment up',
  usage: '[options] <deployment>',
  description: 'Nothing more is placed for it. A job with auto_revert goes back to its last stable version.',
  examples: [{ text: 'Give it up', command: 'deployment fail 8990cfbc' }],
  args: oneArgument('deployment id'),
  completes: 'deployment',
  flags: { detach, verbose },
  next: ({ args: [id] }) => ({ text: 'See what came of it', command: `deployment status ${id}` }),
  async run({ args: [id], flags }, context) {
    const deployment = await findDeployment(context, id!);
    return wish(context, deployment, flags, {
      what: 'failing',
      patch: { fail: true },
      accepted: `Deployment "${deployment.metadata.name}" failed`,
    });
  },
});

export const deploymentUnblock = defineClusterCommand({
  name: 'deployment unblock',
  summary: 'Let a deployment go on that waits for other regions',
  usage: '[options] <deployment>',
  description:
    'Only jobs of several regions wait so. There is one region here: no deployment is ever blocked, and the command says so.',
  args: oneArgument('deployment id'),
  completes: 'deployment',
  flags: { detach, verbose },
  async run({ args: [id] }, context) {
    const { metadata, status } = await findDeployment(context, id!);
    throw new CommandError(
      `Error unblocking deployment: deployment "${metadata.name.slice(0, 8)}" is ${status?.phase ?? 'pending'} and not blocked: deployments wait for other regions only where there are several`,
    );
  },
});

export const deploymentPause = defineClusterCommand({
  name: 'deployment pause',
  summary: 'Pause a deployment',
  usage: '[options] <deployment>',
  description: 'Nothing more is placed for it until "deployment resume".',
  examples: [{ text: 'Pause it', command: 'deployment pause 8990cfbc' }],
  args: oneArgument('deployment id'),
  completes: 'deployment',
  flags: { verbose },
  next: ({ args: [id] }) => ({ text: 'Go on with it', command: `deployment resume ${id}` }),
  async run({ args: [id], flags }, context) {
    const deployment = await findDeployment(context, id!);
    return wish(
      context,
      deployment,
      { ...flags, detach: true },
      {
        what: 'pausing',
        patch: { paused: true },
        accepted: `Deployment "${deployment.metadata.name}" paused`,
        evaluates: false,
      },
    );
  },
});

export const deploymentResume = defineClusterCommand({
  name: 'deployment resume',
  summary: 'Resume a paused deployment',
  usage: '[options] <deployment>',
  examples: [{ text: 'Go on', command: 'deployment resume 8990cfbc' }],
  args: oneArgument('deployment id'),
  completes: 'deployment',
  flags: { detach, verbose },
  next: ({ args: [id] }) => ({ text: 'See how far it is', command: `deployment status ${id}` }),
  async run({ args: [id], flags }, context) {
    const deployment = await findDeployment(context, id!);
    return wish(context, deployment, flags, {
      what: 'resuming',
      patch: { paused: false },
      accepted: `Deployment "${deployment.metadata.name}" resumed`,
    });
  },
});
