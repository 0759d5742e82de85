import { NodeKind } from '../../../openapi/index.ts';
import { defineClusterCommand, flag } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { say } from '../../io/streams.ts';
import { findNode } from '../../lookup.ts';
import { submitting } from '../../submit.ts';
import { thisNode } from './status.ts';

export const nodeEligibility = defineClusterCommand({
  name: 'node eligibility',
  summary: 'Say whether new allocations may be placed on a node',
  usage: '[options] <node>',
  description: 'What runs there goes on. To move it away there is "node drain".',
  examples: [
    { text: 'Nothing new', command: 'node eligibility -disable 574545c5' },
    { text: 'As before', command: 'node eligibility -enable 574545c5' },
  ],
  args: { min: 0, max: 1, rule: 'This command takes one argument: <node>' },
  completes: 'node',
  flags: {
    enable: flag.boolean('New allocations may be placed.'),
    disable: flag.boolean('None may.'),
    self: flag.boolean('The node of this machine.'),
  },
  next: ({ args: [id = '-self'], flags }) =>
    flags.enable
      ? { text: 'See what is placed on it', command: `node status ${id}` }
      : { text: 'Allow it again', command: `node eligibility -enable ${id}` },
  async run({ args: [id], flags }, context) {
    if (flags.enable === flags.disable) throw new CommandError("Either the '-enable' or '-disable' flag must be set");
    if (id === undefined && !flags.self) throw new CommandError("Node ID must be specified if -self isn't being used");
    const node = flags.self ? await thisNode(context) : await findNode(context, id!);
    if (flags.enable && node.spec.drain !== undefined)
      throw new CommandError(
        `Error updating scheduling eligibility: node "${node.metadata.name}" is draining; end that first with "${context.program} node drain -disable"`,
      );
    const eligibility = flags.enable ? 'eligible' : 'ineligible';
    await submitting(context, 'Error updating scheduling eligibility', () =>
      context.client.patch(NodeKind, node.metadata.name, undefined, { spec: { eligibility } }),
    );
    say(context, `Node "${node.metadata.name}" scheduling eligibility set: ${eligibility} for scheduling`);
  },
});
