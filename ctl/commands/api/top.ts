import { AllocationKind, NodeKind, type Allocation, type Node, type Stored } from '../../../openapi/index.ts';
import { allocationStats, nodeStats } from '../../agent-api.ts';
import { defineClusterCommand, flag } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { bytes } from '../../io/amounts.ts';
import { complain, say } from '../../io/streams.ts';
import { findNode, jobName, listAll } from '../../lookup.ts';
import { clientStatus, nodeName } from '../../views/lists.ts';
import { alignRows } from '../../views/server-table.ts';
import { allNamespaces } from '../options.ts';

export const topNodes = defineClusterCommand({
  name: 'top nodes',
  aliases: ['top node'],
  summary: 'Show what the machines of nodes use',
  usage: '[options] [<node>]',
  examples: [{ text: 'Who is busy', command: 'top nodes -sort-by=cpu' }],
  args: { min: 0, max: 1, rule: 'This command takes either no arguments or one: <node>' },
  completes: 'node',
  flags: { sortBy: flag.string('<column>', 'cpu or memory.') },
  async run({ args: [id], flags }, context) {
    const nodes = id === undefined ? await listAll(context, NodeKind) : [await findNode(context, id)];
    const rows = await Promise.all(nodes.map(async (node) => ({ node, ...(await nodeStats(context, node)) })));
    const sorted = rows.sort(order(flags.sortBy, ({ stats }) => stats?.cpu?.percent ?? -1, ({ stats }) => stats?.memory?.usedBytes ?? -1, ({ node }) => nodeName(node))); // prettier-ignore
    const percent = (part: number | undefined, whole: number | undefined): string =>
      part === undefined || whole === undefined || whole === 0 ? '<unknown>' : `${Math.round((part / whole) * 100)}%`;
    say(
      context,
      alignRows([
        ['NAME', 'CPU(MHz)', 'CPU%', 'MEMORY', 'MEMORY%', 'DISK%'],
        ...sorted.map(({ node, stats }) => [
          nodeName(node),
          stats?.cpu === undefined ? '<unknown>' : String(Math.round(stats.cpu.usedMHz)),
          stats?.cpu === undefined ? '<unknown>' : `${Math.round(stats.cpu.percent)}%`,
          stats?.memory === undefined ? '<unknown>' : bytes(stats.memory.usedBytes),
          percent(stats?.memory?.usedBytes, stats?.memory?.totalBytes),
          percent(stats?.disk?.usedBytes, stats?.disk?.totalBytes),
        ]),
      ]),
    );
    for (const { node, statsProblem } of rows)
      if (statsProblem !== undefined) complain(context, `${nodeName(node)}: ${statsProblem}`);
  },
});

export const topAllocations = defineClusterCommand({
  name: 'top allocations',
  aliases: ['top allocs', 'top alloc', 'top pods', 'top pod'],
  summary: 'Show what running tasks use',
  usage: '[options] [<job>]',
  examples: [{ text: 'The tasks of a job, the hungriest first', command: 'top allocs -sort-by=memory example' }],
  args: { min: 0, max: 1, rule: 'This command takes either no arguments or one: <job>' },
  completes: 'job',
  flags: { sortBy: flag.string('<column>', 'cpu or memory.'), allNamespaces },
  async run({ args: [job], flags }, context) {
    const namespace = flags.allNamespaces ? undefined : context.listNamespace;
    const selector = job === undefined ? {} : { fieldSelector: `spec.jobName=${jobName(job)}` };
    const [all, nodes] = await Promise.all([
      listAll({ ...context, listNamespace: namespace }, AllocationKind, selector),
      listAll(context, NodeKind),
    ]);
    const running = all.filter((one) => clientStatus(one) === 'running');
    if (running.length === 0) return say(context, 'No allocations are running');
    const byName = new Map(nodes.map((node) => [node.metadata.name, node]));
    const rows = (await Promise.all(running.map((one) => tasksOf(one, byName.get(one.spec.nodeName))))).flat();
    async function tasksOf(allocation: Stored<Allocation>, node: Stored<Node> | undefined) {
      const { stats } = await allocationStats(context, allocation, node);
      const held = new Map((allocation.spec.resources?.tasks ?? []).map((task) => [task.name, task]));
      const names = [...held.keys()];
      return names.map((task) => ({
        allocation,
        task,
        held: held.get(task),
        used: stats?.tasks.find(({ name }) => name === task),
      }));
    }
    rows.sort(order(flags.sortBy, ({ used }) => used?.cpuMHz ?? -1, ({ used }) => used?.memoryBytes ?? -1, ({ allocation }) => allocation.spec.name)); // prettier-ignore
    say(
      context,
      alignRows([
        ['ALLOCATION', 'NAME', 'TASK', 'CPU(MHz)', 'OF', 'MEMORY', 'OF'],
        ...rows.map(({ allocation, task, held, used }) => [
          allocation.metadata.name.slice(0, 8),
          allocation.spec.name,
          task,
          used?.cpuMHz === undefined ? '<unknown>' : String(Math.round(used.cpuMHz)),
          String(held?.cpu ?? 0),
          used?.memoryBytes === undefined ? '<unknown>' : bytes(used.memoryBytes),
          bytes((held?.memory ?? 0) * 1024 * 1024),
        ]),
      ]),
    );
  },
});

/** By what was asked for, largest first, or else by name. */
function order<T>(by: string | undefined, cpu: (one: T) => number, memory: (one: T) => number, name: (one: T) => string) {
  if (by !== undefined && by !== 'cpu' && by !== 'memory') throw new CommandError(`-sort-by takes cpu or memory, not "${by}"`);
  const largest = by === 'cpu' ? cpu : by === 'memory' ? memory : undefined;
  return (a: T, b: T): number => (largest === undefined ? 0 : largest(b) - largest(a)) || (name(a) < name(b) ? -1 : 1);
}
