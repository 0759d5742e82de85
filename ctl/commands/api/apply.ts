import { isReason } from '../../../base/index.ts';
import { JobKind, type AnyObject, type Job, type Kind, type Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { CommandError, explain } from '../../errors.ts';
import { complain, hint, say } from '../../io/streams.ts';
import { readManifests, type Manifest } from '../../jobfile/manifests.ts';
import { kindOfObject, resourceName } from '../../kinds.ts';
import { listAll } from '../../lookup.ts';
import { placed, putObject, type Outcome } from '../../put.ts';
import { matchesLabels } from '../../selector.ts';
import { followSubmission, submitJob, type Submission } from '../../submit.ts';
import { detach, dryRun, dryRunMode, fileFlags, variables, verbose, type DryRun } from '../options.ts';

/** Marks what `apply` made, so that -prune takes nothing away that somebody else made. */
const APPLIED = 'orch.dev/applied';

export const apply = defineClusterCommand({
  name: 'apply',
  summary: 'Make the cluster match files: job files and manifests',
  usage: '[options] -f <path>',
  description:
    'Takes job files (.nomad, .hcl), manifests (.yaml, .json; several in one file), folders of them, patterns ("jobs/*.nomad"), web ' +
    'addresses, and "-" for standard input. Every file is read before anything is sent. Jobs that changed are then followed as ' +
    '"job run" does, unless -detach is given.',
  examples: [
    { text: 'A job file', command: 'apply -f example.nomad' },
    { text: 'Everything in a folder, without waiting', command: 'apply -f jobs/ -detach' },
    { text: 'What would happen', command: 'apply -f jobs/ --dry-run=server' },
    {
      text: 'A folder, taking away what was applied from it once and is gone from it',
      command: 'apply -f jobs/ -prune -l team=web',
    },
  ],
  args: { min: 0, rule: 'This command takes files with -f' },
  completes: 'file',
  flags: {
    ...fileFlags,
    dryRun,
    prune: flag.boolean('Delete objects of the same kinds that were applied before and are in no file; needs -l or -all.'),
    selector: flag.string('<labels>', 'Only objects with these labels: a=b,c!=d.', { short: 'l' }),
    all: flag.boolean('With -prune: whatever its labels.'),
    detach,
    verbose,
    ...variables,
  },
  async run({ args, flags }, context) {
    if (args.length > 0) throw new CommandError(`Name files with -f: ${context.program} apply -f ${args.join(' -f ')}`);
    if (flags.filename.length === 0) throw new CommandError('Say what to apply: -f <path>');
    if (flags.prune && flags.selector === undefined && !flags.all)
      throw new CommandError('-prune needs -l <labels>, or -all: everything that was applied and is in no file would go');
    const mode = dryRunMode(flags.dryRun);
    const manifests = await readManifests(context, flags.filename, flags);
    const wanted = await Promise.all(
      manifests.map(async ({ object, source }) => {
        const kind = await kindOfObject(context, object, source);
        return { kind, source, object: placed(context, kind, object) };
      }),
    );
    const submissions: Submission[] = [];
    let failed = 0;
    for (const one of wanted) {
      const label = `${resourceName(one.kind)}/${one.object.metadata.name}`;
      try {
        if (flags.selector !== undefined && !(await isSelected(context, one, flags.selector))) continue;
        const { outcome, warnings, submission } = await applyOne(context, one, mode);
        if (submission !== undefined && submission.evaluation !== '') submissions.push(submission);
        say(context, `${label} ${outcome}${suffix[mode]}`);
        for (const warning of warnings) complain(context, context.style.yellow(`Warning: ${label}: ${warning}`));
      } catch (error) {
        if (!isReason(error, 'Invalid', 'BadRequest', 'Forbidden', 'NotFound', 'Conflict', 'AlreadyExists')) throw error;
        failed++;
        complain(context, `${one.source}: ${label}: ${explain(error, context.program)}`);
      }
    }
    if (flags.prune && failed > 0) complain(context, 'Nothing was pruned, since not everything could be applied');
    else if (flags.prune) await prune(context, wanted, flags.selector, mode);
    return follow(context, submissions, flags, failed === 0 ? 0 : 1);
  },
});

const suffix: Readonly<Record<DryRun, string>> = { none: '', server: ' (server dry run)', client: ' (dry run)' };

interface Wanted extends Manifest {
  readonly kind: Kind;
}

async function applyOne(
  context: ClusterContext,
  { kind, object }: Wanted,
  mode: DryRun,
): Promise<{ outcome: Outcome; warnings: readonly string[]; submission?: Submission }> {
  const existing = await context.client.find(kind, object.metadata.name!, object.metadata.namespace);
  if (mode === 'client') return { outcome: existing === undefined ? 'created' : 'configured', warnings: [] };
  // What somebody made otherwise stays theirs: it is never pruned.
  const ours = existing === undefined || existing.metadata.annotations?.[APPLIED] === 'true';
  const marked: AnyObject = ours ? withAnnotation(object, APPLIED, 'true') : object;
  if (mode === 'server' || kind !== (JobKind as Kind)) return putObject(context, kind, marked, { dryRun: mode === 'server' });
  const submission = await submitJob(context, marked as Job, { evaluateUnchanged: false });
  return { outcome: submission.outcome, warnings: submission.warnings, submission };
}

const withAnnotation = (object: AnyObject, name: string, value: string): AnyObject => ({
  ...object,
  metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [name]: value } },
});

/** By the labels of the file, and those that the object has got since. */
async function isSelected(context: ClusterContext, { kind, object }: Wanted, selector: string): Promise<boolean> {
  const { name, namespace, labels } = object.metadata;
  if (matchesLabels(selector, labels)) return true;
  const existing = await context.client.find(kind, name!, namespace);
  return existing !== undefined && matchesLabels(selector, { ...existing.metadata.labels, ...labels });
}

/** Deletes what was applied before, is of the kinds in the files (jobs in any case), and is in no file. */
async function prune(
  context: ClusterContext,
  wanted: readonly Wanted[],
  selector: string | undefined,
  mode: DryRun,
): Promise<void> {
  const kept = new Set(wanted.map(({ kind, object }) => keyOf(kind, object)));
  const kinds = new Set<Kind>([JobKind, ...wanted.map(({ kind }) => kind)]);
  const namespaces = new Set(wanted.map(({ object }) => object.metadata.namespace ?? context.namespace));
  for (const kind of kinds)
    for (const namespace of kind.namespaced ? namespaces : [undefined]) {
      const found = await listAll({ ...context, listNamespace: namespace }, kind, selector === undefined ? {} : { labelSelector: selector }); // prettier-ignore
      for (const object of found) {
        const isOurs = object.metadata.annotations?.[APPLIED] === 'true' && (object.metadata.ownerReferences ?? []).length === 0;
        if (!isOurs || kept.has(keyOf(kind, object)) || object.metadata.deletionTimestamp !== undefined) continue;
        if (mode === 'none')
          await context.client.delete(kind, object.metadata.name, object.metadata.namespace, {
            preconditions: { uid: object.metadata.uid },
          });
        say(context, `${resourceName(kind)}/${object.metadata.name} pruned${suffix[mode]}`);
      }
    }
}

const keyOf = (kind: Kind, { metadata }: AnyObject | Stored<AnyObject>): string =>
  `${kind.apiVersion}/${kind.kind}/${kind.namespaced ? (metadata.namespace ?? '') : ''}/${metadata.name}`;

/** Follows the jobs that changed, one after the other; the worst exit code counts. */
async function follow(
  context: ClusterContext,
  submissions: readonly Submission[],
  flags: { readonly detach: boolean; readonly verbose: boolean },
  code: number,
): Promise<number> {
  if (flags.detach) {
    if (submissions.length > 0) hint(context, `See what came of it: ${context.program} job status`);
    return code;
  }
  for (const submission of submissions) {
    const { spec } = submission.job;
    if (spec.periodic !== undefined || spec.parameterized !== undefined) continue;
    code = (await followSubmission(context, submission, flags, '')) || code;
  }
  return code;
}
