import { defineClusterCommand, flag } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { pairs } from '../../io/columns.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { say } from '../../io/streams.ts';
import { findNode } from '../../lookup.ts';
import { by } from '../../views/view.ts';
import { thisNode } from './status.ts';

export const nodeMetaRead = defineClusterCommand({
  name: 'node meta read',
  summary: "Show a node's meta",
  usage: '[options] <node>',
  args: { min: 0, max: 1, rule: 'This command takes one argument: <node>' },
  completes: 'node',
  flags: { nodeId: flag.string('<node>', 'The node.'), self: flag.boolean('The node of this machine.'), ...formatFlags },
  async run({ args: [id = ''], flags }, context) {
    const wanted = flags.nodeId ?? id;
    if (wanted === '' && !flags.self) throw new CommandError("Node ID must be specified if -self isn't being used");
    const { spec } = flags.self ? await thisNode(context) : await findNode(context, wanted);
    const meta = Object.entries(spec.meta ?? {}).sort(by(([key]) => key));
    if (wantsData(flags)) return sayData(context, flags, { Meta: spec.meta ?? {}, Dynamic: {}, Static: spec.meta ?? {} });
    say(context, `All Meta\n${meta.length === 0 ? '<none>' : pairs(meta)}`);
  },
});
