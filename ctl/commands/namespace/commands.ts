import { isReason } from '../../../base/index.ts';
import { NamespaceKind, type Namespace, type Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, noArguments, oneArgument, type ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { pairs, table } from '../../io/columns.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { say } from '../../io/streams.ts';
import { listAll } from '../../lookup.ts';
import { submitting } from '../../submit.ts';
import { by } from '../../views/view.ts';
import { create } from '../../write.ts';

/** Where the description of a namespace is kept, which the kind of Kubernetes has no field for. */
const DESCRIPTION = 'orch.dev/description';

const descriptionOf = ({ metadata }: Stored<Namespace>): string =>
  metadata.annotations?.[DESCRIPTION] ?? (metadata.name === 'default' ? 'Default shared namespace' : '');

const dataOf = (one: Stored<Namespace>): Record<string, unknown> => ({
  Name: one.metadata.name,
  Description: descriptionOf(one),
  Quota: '',
  CreateIndex: Number(one.metadata.resourceVersion),
  ModifyIndex: Number(one.metadata.resourceVersion),
});

export const namespaceList = defineClusterCommand({
  name: 'namespace list',
  summary: 'List namespaces',
  usage: '[options]',
  examples: [{ text: 'All of them', command: 'namespace list' }],
  args: noArguments,
  flags: formatFlags,
  async run({ flags }, context) {
    const all = (await listAll(context, NamespaceKind)).sort(by(({ metadata }) => metadata.name));
    if (wantsData(flags)) return sayData(context, flags, all.map(dataOf));
    say(context, table([['Name', 'Description'], ...all.map((one) => [one.metadata.name, descriptionOf(one)])]));
  },
});

export const namespaceStatus = defineClusterCommand({
  name: 'namespace status',
  summary: 'Show a namespace',
  usage: '[options] <namespace>',
  examples: [{ text: 'What it is for', command: 'namespace status team-a' }],
  args: oneArgument('namespace'),
  flags: formatFlags,
  async run({ args: [name], flags }, context) {
    const found = await findNamespace(context, name!);
    if (wantsData(flags)) return sayData(context, flags, dataOf(found));
    say(context, pairs([['Name', found.metadata.name], ['Description', descriptionOf(found)], ['Quota', '']])); // prettier-ignore
  },
});

export const namespaceInspect = defineClusterCommand({
  name: 'namespace inspect',
  summary: 'Show a namespace as JSON',
  usage: '[options] <namespace>',
  examples: [{ text: 'As JSON', command: 'namespace inspect team-a' }],
  args: oneArgument('namespace'),
  flags: { t: formatFlags.t },
  run: async ({ args: [name], flags }, context) => sayData(context, flags, dataOf(await findNamespace(context, name!))),
});

export const namespaceApply = defineClusterCommand({
  name: 'namespace apply',
  summary: 'Create or change a namespace',
  usage: '[options] <namespace>',
  examples: [{ text: 'For a team', command: 'namespace apply -description "The web team" web' }],
  args: oneArgument('namespace'),
  flags: { description: flag.string('<text>', 'What it is for.') },
  next: ({ args: [name] }) => ({ text: 'Work in it', command: `job run -namespace=${name} <path>` }),
  async run({ args: [name], flags }, context) {
    const metadata = {
      name: name!,
      ...(flags.description !== undefined && { annotations: { [DESCRIPTION]: flags.description } }),
    };
    await submitting(context, 'Error applying namespace', async () => {
      try {
        await create(context, NamespaceKind, { metadata });
      } catch (error) {
        if (!isReason(error, 'AlreadyExists')) throw error;
        await context.client.patch(NamespaceKind, name!, undefined, { metadata: { annotations: metadata.annotations ?? {} } });
      }
    });
    say(context, `Successfully applied namespace "${name}"!`);
  },
});

export const namespaceDelete = defineClusterCommand({
  name: 'namespace delete',
  summary: 'Remove a namespace',
  usage: '[options] <namespace>',
  examples: [{ text: 'With everything in it', command: 'namespace delete team-a' }],
  args: oneArgument('namespace'),
  next: () => ({ text: 'See which are left', command: 'namespace list' }),
  async run({ args: [name] }, context) {
    await submitting(context, 'Error deleting namespace', () => context.client.delete(NamespaceKind, name!));
    say(context, `Successfully deleted namespace "${name}"!`);
  },
});

async function findNamespace(context: ClusterContext, name: string): Promise<Stored<Namespace>> {
  const all = await listAll(context, NamespaceKind);
  const exact = all.find(({ metadata }) => metadata.name === name);
  const matches = exact === undefined ? all.filter(({ metadata }) => metadata.name.startsWith(name)) : [exact];
  if (matches.length === 1) return matches[0]!;
  if (matches.length === 0) throw new CommandError(`Namespace ${JSON.stringify(name)} matched no namespaces`);
  throw new CommandError(
    `Prefix matched multiple namespaces\n\n${table([['Name', 'Description'], ...matches.map((one) => [one.metadata.name, descriptionOf(one)])])}`,
  );
}
