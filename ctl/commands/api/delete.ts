import { isReason } from '../../../base/index.ts';
import type { AnyObject, Kind, Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { CommandError, Interrupted } from '../../errors.ts';
import { complain, say } from '../../io/streams.ts';
import { readManifests } from '../../jobfile/manifests.ts';
import { findKind, findObject, kindOfObject, parseTargets, resourceName } from '../../kinds.ts';
import { listAll } from '../../lookup.ts';
import { waitFor } from '../../watch.ts';
import { variables } from '../options.ts';

export const deleteObjects = defineClusterCommand({
  name: 'delete',
  summary: 'Remove objects',
  usage: '[options] <kind> <name>… | -f <path>',
  description:
    'Waits until they are gone, unless -wait=false is given. A job goes once its allocations have ended; to stop one and keep it ' +
    'there is "job stop".',
  examples: [
    { text: 'A job', command: 'delete job example' },
    { text: 'What a file describes', command: 'delete -f example.nomad' },
  ],
  args: { min: 0, rule: 'This command takes a kind and names, or -f: <kind> <name>…' },
  completes: 'kind',
  flags: {
    filename: flag.list('<path>', 'What a file, folder or "-" describes. Repeatable.', { short: 'f' }),
    selector: flag.string('<labels>', 'All objects of the kind with these labels.', { short: 'l' }),
    all: flag.boolean('All objects of the kind in the namespace.'),
    wait: flag.tristate('Wait until they are gone; on unless -wait=false.'),
    ignoreNotFound: flag.boolean('An object that is not there is no error.'),
    ...variables,
  },
  next: ({ args: [target] }) =>
    target === undefined ? undefined : { text: 'See what is left', command: `get ${target.split('/')[0]}` },
  async run({ args, flags }, context) {
    if ((args.length === 0) === (flags.filename.length === 0))
      throw new CommandError('Say what to delete: a kind and names, or -f <path>');
    const targets =
      args.length > 0
        ? await named(context, args, flags)
        : await Promise.all(
            (await readManifests(context, flags.filename, flags)).map(async ({ object, source }) => ({
              kind: await kindOfObject(context, object, source),
              name: object.metadata.name!,
              namespace: object.metadata.namespace ?? context.namespace,
            })),
          );
    const gone: Target[] = [];
    let failed = false;
    for (const target of targets) {
      const { kind, name, namespace } = target;
      try {
        await context.client.delete(kind, name, kind.namespaced ? namespace : undefined, { propagationPolicy: 'Background' });
        gone.push(target);
        say(context, `${resourceName(kind)} "${name}" deleted`);
      } catch (error) {
        if (!isReason(error, 'NotFound')) throw error;
        if (flags.ignoreNotFound) continue;
        failed = true;
        complain(context, `${resourceName(kind)} "${name}" not found`);
      }
    }
    if (flags.wait !== false)
      await context.interruptible(async (signal) => {
        const options = { clock: context.clock, signal };
        for (const { kind, name, namespace } of gone) {
          const where = kind.namespaced ? namespace : undefined;
          if ((await context.client.find(kind, name, where)) === undefined) continue;
          await waitFor(context.client, kind, name, where, options, (now) => now === undefined);
          if (signal.aborted) throw new Interrupted('\nStopped waiting; the deletion goes on.');
        }
      });
    return failed ? 1 : 0;
  },
});

interface Target {
  readonly kind: Kind;
  readonly name: string;
  readonly namespace: string;
}

async function named(
  context: ClusterContext,
  args: readonly string[],
  flags: { readonly selector: string | undefined; readonly all: boolean; readonly ignoreNotFound: boolean },
): Promise<Target[]> {
  const found: Target[] = [];
  for (const { kind: word, name } of parseTargets(args)) {
    const kind = await findKind(context, word);
    let objects: Stored<AnyObject>[];
    if (name !== undefined) {
      if (flags.ignoreNotFound)
        objects = [await context.client.find(kind, name, kind.namespaced ? context.namespace : undefined)].filter((one) => one !== undefined); // prettier-ignore
      else objects = [await findObject(context, kind, name)];
    } else {
      if (!flags.all && flags.selector === undefined)
        throw new CommandError(`Say which ${kind.plural}: names, -l <labels> or -all`);
      objects = await listAll({ ...context, listNamespace: context.namespace }, kind, flags.selector === undefined ? {} : { labelSelector: flags.selector }); // prettier-ignore
    }
    found.push(...objects.map(({ metadata }) => ({ kind, name: metadata.name, namespace: metadata.namespace ?? '' })));
  }
  return found;
}
