import { uuid } from '../../base/index.ts';
import {
  AllocationKind,
  JobKind,
  NodeKind,
  RebalanceKind,
  type Deployment,
  type Node,
  type Rebalance,
  type RebalanceMove,
  type Stored,
} from '../../openapi/index.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../command.ts';
import { CommandError, explain, Interrupted } from '../errors.ts';
import { confirm } from '../io/ask.ts';
import { complain, hint, say } from '../io/streams.ts';
import { localTime } from '../io/time.ts';
import { table } from '../io/columns.ts';
import { listAll } from '../lookup.ts';
import { watchOne } from '../watch.ts';
import { hasEnded, replace } from './job/restart.ts';
import { deploymentsOf } from './job/status.ts';
import { yes } from './options.ts';

export const rebalance = defineClusterCommand({
  name: 'rebalance',
  summary: 'Move allocations of services to where they are better placed',
  usage: '[options]',
  description:
    'Asks the scheduler which moves would pay: where nodes are filled one after the other (binpack) those that empty nodes, where they are filled alike (spread) ' +
    'those that bring the fullest and the emptiest closer. Then makes them, a few at a time, each once the one before it runs in its new place; the first that fails, ' +
    'lands elsewhere, or no longer makes sense ends the command. Moved are services that run undisturbed, hold no data on their node and have neither spreads nor affinities; none goes to where more of its group are than it leaves. Nothing moves with -plan.',
  examples: [
    { text: 'What would be moved?', command: 'rebalance -plan' },
    { text: 'Move up to 20 allocations, two at a time', command: 'rebalance -max-moves=20 -max-parallel=2' },
  ],
  args: { min: 0, max: 0, rule: 'This command takes no arguments' },
  flags: {
    plan: flag.boolean('Say what would be moved, and move nothing. Exit code 1 where something would.'),
    pool: flag.string('<pool>', 'The node pool. Default "default".'),
    maxMoves: flag.integer('<n>', 'How many allocations are moved at most. Default 10.'),
    maxParallel: flag.integer('<n>', 'How many are moved at a time. Default 1.'),
    yes,
  },
  async run({ flags }, context) {
    const { pool = 'default', maxMoves = 10, maxParallel = 1 } = flags;
    for (const [name, value] of [
      ['-max-moves', maxMoves],
      ['-max-parallel', maxParallel],
    ] as const)
      // prettier-ignore
      if (value < 1) throw new CommandError(`${name} must be above 0, not ${value}`);
    return context.interruptible(async (signal) => {
      const { description, moves = [] } = await ask(context, pool, maxMoves, signal);
      say(context, `==> ${description ?? ''}`);
      if (moves.length === 0) return 0;
      const nodes = new Map(
        (await listAll(context, NodeKind, {})).map(({ metadata, spec }) => [metadata.name, spec.name ?? metadata.name]),
      );
      await show(context, moves, nodes);
      if (flags.plan) return 1;
      if (!flags.yes && !(await confirm(context, `Are you sure you want to move ${moves.length === 1 ? 'it' : 'them'}?`)))
        return 0;
      const left = [...moves];
      while (left.length > 0) {
        const failures = await Promise.all(left.splice(0, maxParallel).map((one) => move(context, one, nodes, signal)));
        if (signal.aborted) throw new Interrupted('\nStopped; moves that were begun go on.');
        const told = failures.filter((failure) => failure !== undefined);
        for (const failure of told) complain(context, failure);
        if (told.length === 0) continue;
        if (left.length > 0) hint(context, `${left.length} of ${moves.length} moves were not begun`);
        return 1;
      }
      say(context, `==> ${localTime(context.clock.now())}: Finished rebalance`);
      return 0;
    });
  },
});

/** How long the scheduler may take; none leads, or it is older than this command, where it does not answer. */
const PATIENCE = 15_000;

/** The question vanishes by itself should we not be there to remove it. */
async function ask(
  context: ClusterContext,
  nodePool: string,
  maxMoves: number,
  signal: AbortSignal,
): Promise<NonNullable<Rebalance['status']>> {
  const { client, clock } = context;
  const asked = await client.create(RebalanceKind, {
    apiVersion: RebalanceKind.apiVersion,
    kind: RebalanceKind.kind,
    metadata: { name: uuid(), annotations: { 'orch.dev/ttl': '60s' } },
    spec: { nodePool, maxMoves },
  });
  const over = new AbortController();
  const timer = clock.after(PATIENCE, () => over.abort());
  const { name } = asked.metadata;
  try {
    const either = AbortSignal.any([signal, over.signal]);
    for await (const now of watchOne(client, RebalanceKind, name, undefined, { clock, signal: either }))
      if (now?.status?.answeredAt !== undefined) return now.status;
  } finally {
    timer.cancel();
    await client.delete(RebalanceKind, name).catch(() => undefined);
  }
  if (signal.aborted) throw new Interrupted('\nStopped; nothing was moved.');
  throw new CommandError('The scheduler does not answer: does one run? "orchctl get leases -n orch-system" names who leads');
}

async function show(context: ClusterContext, moves: readonly RebalanceMove[], nodes: ReadonlyMap<string, string>): Promise<void> {
  const rows = await Promise.all(
    moves.map(async ({ allocation, namespace, fromNode, toNode }) => {
      const found = await context.client.find(AllocationKind, allocation, namespace);
      return [allocation.slice(0, 8), found?.spec.name ?? '', nodes.get(fromNode) ?? fromNode, nodes.get(toNode) ?? toNode];
    }),
  );
  say(context, table([['Allocation', 'Name', 'From', 'To'], ...rows]));
}

/** Undefined: it runs in its new place, or is gone. */
async function move(
  context: ClusterContext,
  { allocation: id, namespace, fromNode, toNode }: RebalanceMove,
  nodes: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { client } = context;
  const short = id.slice(0, 8);
  const tell = (text: string): void => say(context, `    ${localTime(context.clock.now())}: ${text}`);
  const called = (node: string): string => nodes.get(node) ?? node;
  try {
    const allocation = await client.find(AllocationKind, id, namespace);
    const job = allocation === undefined ? undefined : await client.find(JobKind, allocation.spec.jobName, namespace);
    if (allocation === undefined || job === undefined || allocation.spec.desired !== 'run' || hasEnded(allocation)) {
      tell(`Allocation "${short}" is gone, nothing to move`);
      return undefined;
    }
    // Since the scheduler was asked, things may have changed.
    if (allocation.spec.nodeName !== fromNode) throw new CommandError(`it is no longer on ${called(fromNode)}`);
    const target = await client.find(NodeKind, toNode);
    if (target === undefined || !takes(target)) throw new CommandError(`${called(toNode)} takes no allocations any more`);
    if ((await deploymentsOf(context, job)).some(isActive)) throw new CommandError('its job is being deployed');
    tell(`Moving allocation "${short}" (${allocation.spec.name})`);
    const successor = await replace(context, job, allocation, { toNode }, signal);
    if (successor === undefined) return undefined;
    tell(`Allocation "${short}" landed on ${called(successor.spec.nodeName)}`);
    if (successor.spec.nodeName !== toNode) throw new CommandError(`it was meant to go to ${called(toNode)}`);
    return undefined;
  } catch (error) {
    return signal.aborted ? undefined : `Error moving allocation "${short}": ${explain(error, context.program)}`;
  }
}

const takes = ({ spec, status }: Stored<Node>): boolean =>
  status?.phase === 'ready' && spec.eligibility !== 'ineligible' && spec.drain === undefined;
const isActive = ({ status }: Stored<Deployment>): boolean =>
  !['successful', 'failed', 'cancelled'].includes(status?.phase ?? 'running');
