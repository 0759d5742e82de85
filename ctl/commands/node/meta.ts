import { isReason } from '../../../base/index.ts';
import { NodeKind, objectPath, type Node, type Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { CommandError, explain } from '../../errors.ts';
import { pairs } from '../../io/columns.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { hint, say } from '../../io/streams.ts';
import { findNode } from '../../lookup.ts';
import { submitting } from '../../submit.ts';
import { by, section, view } from '../../views/view.ts';
import { thisNode } from './status.ts';

/** What the agent of a node tells: all that is in force, what was set while it runs, what its configuration says. */
interface Answer {
  readonly meta: Readonly<Record<string, string>>;
  readonly dynamic: Readonly<Record<string, string | null>>;
  readonly static: Readonly<Record<string, string>>;
}

const path = ({ metadata }: Stored<Node>): string => `${objectPath(NodeKind, metadata.name)}/meta`;

const nodeOf = (context: ClusterContext, id: string | undefined): Promise<Stored<Node>> =>
  id === undefined ? thisNode(context) : findNode(context, id);

const nodeFlags = {
  nodeId: flag.string('<node>', 'The node; the one of this machine when absent.'),
  self: flag.boolean('The node of this machine.', { hidden: true }),
} as const;

export const nodeMetaRead = defineClusterCommand({
  name: 'node meta read',
  summary: "Show a node's metadata, and where it comes from",
  usage: '[options] [<node>]',
  description: 'Static is what the configuration of its agent says, dynamic what "node meta apply" set since.',
  examples: [
    { text: 'Of the node of this machine', command: 'node meta read' },
    { text: 'For a script', command: 'node meta read -json -node-id 4c1bbcfa' },
  ],
  args: { min: 0, max: 1, rule: 'This command takes one argument: <node>' },
  completes: 'node',
  flags: { ...nodeFlags, ...formatFlags },
  async run({ args: [id], flags }, context) {
    const node = await nodeOf(context, flags.nodeId ?? id);
    let answer: Answer;
    try {
      answer = await context.client.json<Answer>('GET', path(node));
    } catch (error) {
      if (wantsData(flags) || !isReason(error, 'ServiceUnavailable', 'NotFound')) throw error;
      hint(context, `Where it comes from is not known: ${explain(error, context.program)}`);
      return say(context, `All Meta\n${entries(node.spec.meta ?? {})}`);
    }
    if (wantsData(flags)) return sayData(context, flags, { Meta: answer.meta, Dynamic: answer.dynamic, Static: answer.static });
    const how = view(context.clock.now(), false, context.style);
    say(
      context,
      [
        section(how, 'All Meta', entries(answer.meta)),
        section(how, 'Dynamic Meta', entries(answer.dynamic)),
        section(how, 'Static Meta', entries(answer.static)),
      ].join('\n\n'),
    );
  },
});

/** A key that was taken away is told as such. */
function entries(meta: Readonly<Record<string, string | null>>): string {
  const sorted = Object.entries(meta).sort(by(([key]) => key));
  return sorted.length === 0 ? '<none>' : pairs(sorted.map(([key, value]) => [key, value ?? '<unset>']));
}

export const nodeMetaApply = defineClusterCommand({
  name: 'node meta apply',
  summary: "Change a node's metadata while its agent runs",
  usage: '[options] <key>=<value>…',
  description:
    'Jobs that constrain on it see it at once; what runs already goes on. The agent keeps it on its disk: it outlives restarts, and stands before what the ' +
    'configuration says. -unset takes a key away, one of the configuration too.',
  examples: [
    { text: 'Say where the machine stands', command: 'node meta apply -node-id 4c1bbcfa rack=r7 row=3' },
    { text: 'Take a key away', command: 'node meta apply -node-id 4c1bbcfa -unset rack' },
  ],
  args: { min: 0, rule: 'This command takes pairs: <key>=<value>' },
  flags: { ...nodeFlags, unset: flag.list('<key,…>', 'Take these keys away. Repeatable.') },
  async run({ args, flags }, context) {
    const unset = flags.unset.flatMap((text) => text.split(',')).map((key) => key.trim()).filter((key) => key !== ''); // prettier-ignore
    if (args.length === 0 && unset.length === 0)
      throw new CommandError('Say what to set (<key>=<value>) or to take away (-unset <key>)');
    const set = args.map((text): [string, string] => {
      const at = text.indexOf('=');
      if (at < 1) throw new CommandError(`${JSON.stringify(text)} is no <key>=<value>; -unset takes a key away`);
      return [text.slice(0, at), text.slice(at + 1)];
    });
    const both = set.find(([key]) => unset.includes(key));
    if (both !== undefined) throw new CommandError(`${JSON.stringify(both[0])} is both set and taken away`);
    const node = await nodeOf(context, flags.nodeId);
    const meta = Object.fromEntries([...set, ...unset.map((key): [string, null] => [key, null])]);
    await submitting(context, 'Error applying dynamic node metadata', () =>
      context.client.json('POST', path(node), { body: { meta } }),
    );
    hint(
      context,
      `Set, and kept by the agent. See: ${context.program} node meta read -node-id ${node.metadata.name.slice(0, 8)}`,
    );
  },
});
