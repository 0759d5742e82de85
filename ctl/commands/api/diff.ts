import { isReason } from '../../../base/index.ts';
import type { AnyObject, Kind } from '../../../openapi/index.ts';
import { defineClusterCommand, type ClusterContext } from '../../command.ts';
import { CommandError, explain } from '../../errors.ts';
import { say } from '../../io/streams.ts';
import { styleDiff } from '../../io/style.ts';
import { readManifests } from '../../jobfile/manifests.ts';
import { kindOfObject, resourceName } from '../../kinds.ts';
import { placed, putObject } from '../../put.ts';
import { lineDiff } from '../../views/line-diff.ts';
import { fileFlags, variables } from '../options.ts';

export const diff = defineClusterCommand({
  name: 'diff',
  summary: 'Show what applying files would change',
  usage: '[options] -f <path>',
  description:
    'Compares each object as it is with what the server would store, defaults and all, line by line. The exit code is 0 when nothing differs, 1 when ' +
    'something does, 2 when it could not be told.',
  examples: [{ text: 'Before applying', command: 'diff -f jobs/' }],
  args: { min: 0, max: 0, rule: 'This command takes files with -f' },
  completes: 'file',
  flags: { ...fileFlags, ...variables },
  async run({ flags }, context) {
    if (flags.filename.length === 0) throw new CommandError('Say what to compare: -f <path>', 2);
    let differs = false;
    try {
      for (const { object, source } of await readManifests(context, flags.filename, flags)) {
        const kind = await kindOfObject(context, object, source);
        const text = await difference(context, kind, placed(context, kind, object));
        if (text === undefined) continue;
        if (differs) say(context, '');
        differs = true;
        say(context, styleDiff(text, context.style));
      }
    } catch (error) {
      if (error instanceof CommandError) throw new CommandError(error.message, 2, { cause: error });
      if (isReason(error, 'Invalid', 'BadRequest', 'Forbidden', 'NotFound')) throw new CommandError(explain(error, context.program), 2, { cause: error }); // prettier-ignore
      throw error;
    }
    return differs ? 1 : 0;
  },
});

async function difference(context: ClusterContext, kind: Kind, wanted: AnyObject): Promise<string | undefined> {
  const { stringify } = await import('yaml');
  const existing = await context.client.find(kind, wanted.metadata.name!, wanted.metadata.namespace);
  const { outcome, object } = await putObject(context, kind, wanted, { dryRun: true });
  if (outcome === 'unchanged') return undefined;
  const text = (one: AnyObject | undefined): string => {
    if (one === undefined) return '';
    const { metadata, ...rest } = one;
    const { status: _, ...content } = rest as typeof rest & { status?: unknown };
    const { name, namespace, labels, annotations } = metadata;
    return stringify({ ...content, metadata: { name, ...(namespace && { namespace }), ...(labels && { labels }), ...(annotations && { annotations }) } }, { lineWidth: 0, sortMapEntries: true }); // prettier-ignore
  };
  const label = `${resourceName(kind)}/${wanted.metadata.name}`;
  return `${label} ${existing === undefined ? 'would be created' : 'would change'}\n${lineDiff(text(existing), text(object))}`;
}
