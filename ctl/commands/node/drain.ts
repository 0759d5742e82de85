import { parseDuration, toTimestamp } from '../../../base/index.ts';
import { NodeKind, type DrainSpec } from '../../../openapi/index.ts';
import { defineClusterCommand, flag } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { confirm } from '../../io/ask.ts';
import { say } from '../../io/streams.ts';
import { localTime } from '../../io/time.ts';
import { findNode } from '../../lookup.ts';
import { monitorDrain } from '../../monitor/drain.ts';
import { submitting } from '../../submit.ts';
import { thisNode } from './status.ts';
import { yes } from '../options.ts';

export const nodeDrain = defineClusterCommand({
  name: 'node drain',
  formerNames: ['node-drain'],
  summary: 'Move everything off a node, or stop doing so',
  usage: '[options] <node>',
  description:
    'The node takes nothing new, and its allocations are moved to other nodes, as many at a time as their migrate blocks allow; ' +
    'what is left at the deadline is stopped. The command follows that to its end; Ctrl-C ends the following, not the drain. ' +
    'Afterwards the node stays ineligible: "node eligibility -enable" takes it back.',
  examples: [
    { text: 'Before maintenance', command: 'node drain -enable -m "new disk" f4e8a9e5' },
    { text: 'Within ten minutes', command: 'node drain -enable -deadline 10m f4e8a9e5' },
    { text: 'Not after all', command: 'node drain -disable f4e8a9e5' },
  ],
  args: { min: 0, max: 1, rule: 'This command takes one argument: <node>' },
  completes: 'node',
  flags: {
    enable: flag.boolean('Begin.'),
    disable: flag.boolean('End it; the node becomes eligible again.'),
    deadline: flag.string('<duration>', 'What is left after this is stopped. Default 1h.'),
    force: flag.boolean('Stop everything at once.'),
    noDeadline: flag.boolean('Wait as long as it takes.'),
    ignoreSystem: flag.boolean('Leave allocations of system jobs.'),
    keepIneligible: flag.boolean('With -disable: take nothing new all the same.'),
    m: flag.string('<message>', 'Why; shown to others.', { also: ['message'] }),
    self: flag.boolean('The node of this machine.'),
    detach: flag.boolean('Return at once.'),
    monitor: flag.boolean('Only follow a drain that runs.'),
    yes,
  },
  next: ({ args: [id], flags }) =>
    flags.disable
      ? undefined
      : {
          text: 'Take it into use again',
          command: `node ${flags.detach ? 'drain -disable' : 'eligibility -enable'} ${id ?? '-self'}`,
        },
  async run({ args: [id], flags }, context) {
    const chosen = [flags.enable, flags.disable, flags.monitor].filter(Boolean).length;
    if (chosen !== 1) throw new CommandError("Either the '-enable' or '-disable' flag must be set, unless using '-monitor'");
    if (id === undefined && !flags.self) throw new CommandError("Node ID must be specified if -self isn't being used");
    if ([flags.deadline !== undefined, flags.force, flags.noDeadline].filter(Boolean).length > 1)
      throw new CommandError('Only one of -deadline, -force and -no-deadline can be set');
    if (!flags.enable && (flags.deadline !== undefined || flags.force || flags.noDeadline || flags.ignoreSystem))
      throw new CommandError('-deadline, -force, -no-deadline and -ignore-system can only be set with -enable');
    if (flags.keepIneligible && !flags.disable) throw new CommandError('-keep-ineligible can only be set with -disable');
    const deadline = flags.force ? '-1s' : flags.noDeadline ? '0s' : (flags.deadline ?? '1h');
    if (parseDuration(deadline) === undefined)
      throw new CommandError(`-deadline must be a duration such as 30m, not "${flags.deadline}"`);
    if (flags.deadline !== undefined && parseDuration(deadline)! <= 0)
      throw new CommandError('A positive -deadline must be given; for none at all there are -force and -no-deadline');

    const node = flags.self ? await thisNode(context) : await findNode(context, id!);
    const { name } = node.metadata;
    if (flags.monitor) {
      if (node.spec.drain === undefined) throw new CommandError(`No drain strategy set for node ${name}`);
      return monitorDrain(context, name);
    }
    const what = flags.enable ? 'enable' : 'disable';
    if (flags.self === false && node.metadata.name !== id && !flags.yes && context.io.canAsk) {
      if (!(await confirm(context, `Are you sure you want to ${what} drain mode for node "${name}"?`))) return 0;
    }
    const drain: DrainSpec = {
      deadline,
      startedAt: toTimestamp(context.clock.now()),
      ...(flags.ignoreSystem && { ignoreSystemJobs: true }),
      ...(flags.m !== undefined && { message: flags.m }),
    };
    const spec = flags.enable
      ? // A merge keeps what is absent: nothing of an earlier drain may remain.
        { drain: { ignoreSystemJobs: null, message: null, keepIneligible: null, ...drain }, eligibility: 'ineligible' }
      : { drain: null, ...(!flags.keepIneligible && { eligibility: 'eligible' }) };
    await submitting(context, 'Error updating drain specification', () =>
      context.client.patch(NodeKind, name, undefined, { spec }),
    );
    const time = localTime(context.clock.now());
    if (flags.disable) {
      say(context, `Node "${name}" drain strategy unset`);
      return 0;
    }
    if (!flags.detach) say(context, `${time}: Ctrl-C to stop monitoring: will not cancel the node drain`);
    say(context, `${time}: Node "${name}" drain strategy set`);
    return flags.detach ? 0 : monitorDrain(context, name);
  },
});
