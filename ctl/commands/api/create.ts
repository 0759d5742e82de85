import { isReason } from '../../../base/index.ts';
import type { AnyObject, Kind } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { CommandError, explain } from '../../errors.ts';
import { complain, say } from '../../io/streams.ts';
import { readManifests } from '../../jobfile/manifests.ts';
import { kindOfObject, resourceName } from '../../kinds.ts';
import { placed } from '../../put.ts';
import { create, update } from '../../write.ts';
import { dryRun, dryRunMode, fileFlags, variables } from '../options.ts';

const flags = { ...fileFlags, dryRun, ...variables };

interface Given {
  readonly filename: readonly string[];
  readonly recursive: boolean;
  readonly dryRun: string | undefined;
}

export const createObjects = defineClusterCommand({
  name: 'create',
  summary: 'Create objects that must not exist yet',
  usage: '[options] -f <path> | namespace <name>',
  examples: [
    { text: 'What a file describes', command: 'create -f pool.yaml' },
    { text: 'A namespace', command: 'create namespace team' },
  ],
  args: { min: 0, max: 2, rule: 'This command takes files with -f, or "namespace <name>"' },
  completes: 'file',
  flags,
  next: ({ flags: { filename, dryRun } }) =>
    filename.length === 0 || dryRunMode(dryRun) !== 'none'
      ? undefined
      : { text: 'See later what differs from it', command: `diff -f ${filename.join(' -f ')}` },
  async run({ args: [word, name], flags: given }, context) {
    if (word === undefined) return each(context, given, 'created', (kind, object, dry) => create(context, kind, object, { dryRun: dry })); // prettier-ignore
    if (!/^(namespaces?|ns)$/.test(word) || name === undefined || given.filename.length > 0)
      throw new CommandError(`Say what to create: -f <path>, or "namespace <name>"`);
    const { NamespaceKind } = await import('../../../openapi/index.ts');
    const mode = dryRunMode(given.dryRun);
    if (mode !== 'client') await create(context, NamespaceKind, { metadata: { name } }, { dryRun: mode === 'server' });
    say(context, `namespace/${name} created${mode === 'none' ? '' : mode === 'server' ? ' (server dry run)' : ' (dry run)'}`);
    return 0;
  },
});

export const replaceObjects = defineClusterCommand({
  name: 'replace',
  summary: 'Replace objects that exist, whole',
  usage: '[options] -f <path>',
  description: 'Labels and annotations that are not in the file go; "apply" keeps them.',
  examples: [{ text: 'What a file describes', command: 'replace -f pool.yaml' }],
  args: { min: 0, max: 0, rule: 'This command takes files with -f' },
  completes: 'file',
  flags: { ...flags, force: flag.boolean('Refused: delete and create it instead.', { hidden: true }) },
  next: ({ flags: { filename, dryRun } }) =>
    filename.length === 0 || dryRunMode(dryRun) !== 'none'
      ? undefined
      : { text: 'See later what differs from it', command: `diff -f ${filename.join(' -f ')}` },
  async run({ flags: given }, context) {
    if (given.force) throw new CommandError('-force is not built: "delete -f" and "create -f" do the same in two steps');
    return each(context, given, 'replaced', async (kind, object, dry) => {
      const existing = await context.client.get(kind, object.metadata.name!, object.metadata.namespace);
      const { labels, annotations, resourceVersion = existing.metadata.resourceVersion } = object.metadata;
      const { labels: _, annotations: __, ...kept } = existing.metadata;
      const metadata = { ...kept, resourceVersion, ...(labels && { labels }), ...(annotations && { annotations }) };
      return update(context, kind, { ...object, metadata }, { dryRun: dry });
    });
  },
});

/** Does one thing with every object of the files; failures are told and the others go on. */
async function each(
  context: ClusterContext,
  given: Given,
  done: string,
  work: (kind: Kind, object: AnyObject, dryRun: boolean) => Promise<{ readonly warnings: readonly string[] }>,
): Promise<number> {
  if (given.filename.length === 0) throw new CommandError('Say which files: -f <path>');
  const mode = dryRunMode(given.dryRun);
  const manifests = await readManifests(context, given.filename, given);
  let failed = 0;
  for (const { object, source } of manifests) {
    const kind = await kindOfObject(context, object, source);
    const label = `${resourceName(kind)}/${object.metadata.name}`;
    try {
      const { warnings } =
        mode === 'client' ? { warnings: [] } : await work(kind, placed(context, kind, object), mode === 'server');
      say(context, `${label} ${done}${mode === 'none' ? '' : mode === 'server' ? ' (server dry run)' : ' (dry run)'}`);
      for (const warning of warnings) complain(context, context.style.yellow(`Warning: ${label}: ${warning}`));
    } catch (error) {
      if (!isReason(error, 'Invalid', 'BadRequest', 'Forbidden', 'NotFound', 'Conflict', 'AlreadyExists')) throw error;
      failed++;
      complain(context, `${source}: ${label}: ${explain(error, context.program)}`);
    }
  }
  return failed === 0 ? 0 : 1;
}
