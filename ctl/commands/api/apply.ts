import { JobKind, type AnyObject, type Job, type Kind, type Stored } from '../../../openapi/index.ts';
import { isReason } from '../../../base/index.ts';
import { defineClusterCommand, flag, noArguments, type ClusterContext } from '../../command.ts';
import { CommandError, explain } from '../../errors.ts';
import { complain, say } from '../../io/streams.ts';
import { readManifests } from '../../jobfile/index.ts';
import { kindOfObject, resourceName } from '../../kinds.ts';
import { followSubmission, submitJob, type Submission } from '../../submit.ts';
import { create, update } from '../../write.ts';
import { detach, variables, verbose } from '../options.ts';

export const apply = defineClusterCommand({
  name: 'apply',
  summary: 'Make the cluster match files: job files and manifests',
  usage: '[options] -f <path>',
  description:
    'Takes job files (.nomad, .hcl), manifests (.yaml, .json; several in one file), folders of them, and "-" for standard input. ' +
    'Every file is read before anything is sent. Jobs that changed are then followed as "job run" does, unless -detach is given.',
  examples: [
    { text: 'A job file', command: 'apply -f example.nomad' },
    { text: 'Everything in a folder', command: 'apply -f jobs/ -detach' },
  ],
  args: noArguments,
  flags: {
    filename: flag.list('<path>', 'A file, a folder, or "-". Repeatable.', { short: 'f' }),
    dryRun: flag.boolean('Have the server check everything and change nothing.'),
    detach,
    verbose,
    ...variables,
  },
  async run({ flags }, context) {
    if (flags.filename.length === 0) throw new CommandError('Say what to apply: -f <path>');
    const manifests = await readManifests(context, flags.filename, flags);
    const kinds = await Promise.all(manifests.map(({ object, source }) => kindOfObject(context, object, source)));
    const submissions: Submission[] = [];
    let failed = 0;
    for (const [at, { object, source }] of manifests.entries()) {
      const kind = kinds[at]!;
      const label = `${resourceName(kind)}/${object.metadata.name}`;
      try {
        if (kind === (JobKind as Kind) && !flags.dryRun) {
          const submission = await submitJob(context, object as Job, { evaluateUnchanged: false });
          if (submission.outcome !== 'unchanged') submissions.push(submission);
          say(context, `${label} ${submission.outcome}`);
          for (const warning of submission.warnings) complain(context, context.style.yellow(`Warning: ${label}: ${warning}`));
        } else say(context, `${label} ${await put(context, kind, object, flags.dryRun)}${flags.dryRun ? ' (dry run)' : ''}`);
      } catch (error) {
        if (!isReason(error, 'Invalid', 'BadRequest', 'Forbidden', 'NotFound', 'Conflict', 'AlreadyExists')) throw error;
        failed++;
        complain(context, `${source}: ${label}: ${explain(error, context.program)}`);
      }
    }
    let code = failed === 0 ? 0 : 1;
    if (flags.detach) return code;
    for (const submission of submissions) {
      const { spec } = submission.job;
      if (spec.periodic !== undefined || spec.parameterized !== undefined) continue;
      code = (await followSubmission(context, submission, flags, '')) || code;
    }
    return code;
  },
});

/** Creates an object, or replaces all of it but what the server and controllers keep. */
async function put(
  context: ClusterContext,
  kind: Kind,
  wanted: AnyObject,
  dryRun: boolean,
): Promise<'created' | 'configured' | 'unchanged'> {
  const { client } = context;
  const name = wanted.metadata.name;
  if (name === undefined) throw new CommandError(`${kind.kind} without metadata.name`);
  const namespace = kind.namespaced ? (wanted.metadata.namespace ?? context.namespace) : undefined;
  const located = { ...wanted, metadata: { ...wanted.metadata, ...(namespace !== undefined && { namespace }) } };
  for (let attempt = 1; ; attempt++) {
    const existing: Stored<AnyObject> | undefined = await client.find(kind, name, namespace);
    try {
      if (existing === undefined) {
        await create(context, kind, located, { dryRun });
        return 'created';
      }
      const metadata = {
        ...existing.metadata,
        labels: { ...existing.metadata.labels, ...wanted.metadata.labels },
        annotations: { ...existing.metadata.annotations, ...wanted.metadata.annotations },
      };
      const { object: updated } = await update(context, kind, { ...existing, ...located, metadata }, { dryRun });
      return updated.metadata.resourceVersion === existing.metadata.resourceVersion ? 'unchanged' : 'configured';
    } catch (error) {
      if (!isReason(error, 'Conflict', 'AlreadyExists') || attempt === 5) throw error;
    }
  }
}
