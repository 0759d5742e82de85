import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { AnyObject, Kind, Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { say } from '../../io/streams.ts';
import { findKind, findObject, parseTargets, resourceName } from '../../kinds.ts';
import { listAll } from '../../lookup.ts';
import { sameContent } from '../../put.ts';
import { dryRun, dryRunMode } from '../options.ts';

export const patchObject = defineClusterCommand({
  name: 'patch',
  summary: 'Change some fields of an object',
  usage: '[options] <kind> <name> -p <patch>',
  description:
    'A merge patch names the fields that change, null removes one, lists are replaced whole. A JSON patch is a list of operations. Both may be ' +
    'written as JSON or YAML.',
  examples: [
    { text: 'The priority of a job', command: `patch job example -p '{"spec":{"priority":70}}'` },
    { text: 'One entry of a list', command: `patch job example -type=json -p '[{"op":"replace","path":"/spec/groups/0/count","value":3}]'` }, // prettier-ignore
  ],
  args: { min: 1, rule: 'This command takes a kind and a name: <kind> <name>' },
  completes: 'kind',
  flags: {
    patch: flag.string('<patch>', 'What changes.', { short: 'p' }),
    patchFile: flag.string('<path>', 'A file with what changes.'),
    type: flag.string('<type>', 'merge (which strategic stands for, too) or json. Default merge.'),
    subresource: flag.string('<name>', 'status or scale.'),
    dryRun,
  },
  next: ({ args, flags }) =>
    dryRunMode(flags.dryRun) === 'none' ? { text: 'See it', command: `describe ${args.slice(0, 2).join(' ')}` } : undefined,
  async run({ args, flags }, context) {
    const type = { merge: 'merge', strategic: 'merge', json: 'json' }[flags.type ?? 'merge'] as 'merge' | 'json' | undefined;
    if (type === undefined) throw new CommandError(`There is no type of patch "${flags.type}"; there are merge and json`);
    const subresource = subresourceOf(flags.subresource);
    if ((flags.patch === undefined) === (flags.patchFile === undefined)) throw new CommandError('Give the patch with -p, or -patch-file'); // prettier-ignore
    const text = flags.patch ?? (await readFile(resolve(context.io.cwd, flags.patchFile!), 'utf8'));
    const patch = await parsePatch(text);
    const mode = dryRunMode(flags.dryRun);
    for (const { kind, object } of await named(context, args)) {
      const { name, namespace } = object.metadata;
      const options = { type, dryRun: mode === 'server', ...(subresource !== undefined && { subresource }) }; // prettier-ignore
      const after = mode === 'client' ? undefined : await context.client.patch(kind, name, namespace, patch, options);
      const changed = after === undefined || !sameContent(object, after) ? 'patched' : 'patched (no change)';
      say(context, `${resourceName(kind)}/${name} ${changed}${suffix(mode)}`);
    }
  },
});

function subresourceOf(given: string | undefined): 'status' | 'scale' | undefined {
  if (given === undefined || given === 'status' || given === 'scale') return given;
  throw new CommandError(`There is no subresource "${given}"; there are status and scale`);
}

const suffix = (mode: ReturnType<typeof dryRunMode>): string =>
  mode === 'none' ? '' : mode === 'server' ? ' (server dry run)' : ' (dry run)';

async function parsePatch(text: string): Promise<unknown> {
  const { parse } = await import('yaml');
  try {
    const value: unknown = parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch (error) {
    throw new CommandError(`The patch cannot be read: ${(error as Error).message}`);
  }
  throw new CommandError('The patch must be an object, or for -type=json a list of operations');
}

interface Target {
  readonly kind: Kind;
  readonly object: Stored<AnyObject>;
}

/** Objects by kind and name. */
export async function named(context: ClusterContext, args: readonly string[]): Promise<Target[]> {
  const found: Target[] = [];
  for (const { kind: word, name } of parseTargets(args)) {
    const kind = await findKind(context, word);
    if (name === undefined) throw new CommandError(`Say which ${kind.plural}: <kind> <name>`);
    found.push({ kind, object: await findObject(context, kind, name) });
  }
  return found;
}

const metadataFlags = {
  overwrite: flag.boolean('Change values that are there already.'),
  selector: flag.string('<labels>', 'All objects of the kind with these labels.', { short: 'l' }),
  all: flag.boolean('All objects of the kind in the namespace.'),
  list: flag.boolean('Print what there is.'),
  dryRun,
} as const;

const metadataCommand = (field: 'labels' | 'annotations', name: string, what: string) =>
  defineClusterCommand({
    name,
    summary: `Set or remove ${what} of objects`,
    usage: '[options] <kind> <name> <key>=<value>… <key>-…',
    description: 'A key with a minus behind it is removed.',
    examples: [{ text: 'Set one, remove another', command: `${name} job example team=web old-` }],
    args: { min: 1, rule: `This command takes objects and ${what}: <kind> <name> <key>=<value>…` },
    completes: 'kind',
    flags: metadataFlags,
    async run({ args, flags }, context) {
      const changes = args.filter((arg) => /^[^=/]+(\/[^=/]+)?=|^[^=]+-$/.test(arg));
      const rest = args.slice(0, args.indexOf(changes[0] ?? '') < 0 ? undefined : args.indexOf(changes[0]!));
      if (rest.length + changes.length !== args.length) throw new CommandError(`${what} come after the objects: <key>=<value> or <key>-`); // prettier-ignore
      const targets = await selected(context, rest, flags);
      if (flags.list) {
        for (const { object } of targets)
          say(context, Object.entries(object.metadata[field] ?? {}).map(([key, value]) => `${key}=${value}`).join('\n') || '<none>'); // prettier-ignore
        return;
      }
      if (changes.length === 0) throw new CommandError(`Say which ${what}: <key>=<value>, or <key>- to remove one`);
      const patch = Object.fromEntries(changes.map((change) => (change.includes('=') ? [change.slice(0, change.indexOf('=')), change.slice(change.indexOf('=') + 1)] : [change.slice(0, -1), null]))); // prettier-ignore
      const mode = dryRunMode(flags.dryRun);
      for (const { kind, object } of targets) {
        const present = object.metadata[field] ?? {};
        const taken = Object.entries(patch).find(
          ([key, value]) => value !== null && present[key] !== undefined && present[key] !== value,
        );
        const label = `${resourceName(kind)}/${object.metadata.name}`;
        if (taken !== undefined && !flags.overwrite)
          throw new CommandError(`${label} already has ${taken[0]}=${present[taken[0]]}; -overwrite changes it`);
        if (mode !== 'client')
          await context.client.patch(kind, object.metadata.name, object.metadata.namespace, { metadata: { [field]: patch } }, { dryRun: mode === 'server' }); // prettier-ignore
        const same = Object.entries(patch).every(([key, value]) => (present[key] ?? null) === value);
        const done = same
          ? `not ${name === 'label' ? 'labeled' : 'annotated'} (no change)`
          : name === 'label'
            ? 'labeled'
            : 'annotated';
        say(context, `${label} ${done}${suffix(mode)}`);
      }
    },
  });

async function selected(
  context: ClusterContext,
  args: readonly string[],
  flags: { readonly selector?: string | undefined; readonly all: boolean },
): Promise<Target[]> {
  if (flags.selector === undefined && !flags.all) return named(context, args);
  const found: Target[] = [];
  for (const { kind: word } of parseTargets(args)) {
    const kind = await findKind(context, word);
    const selector = flags.selector === undefined ? {} : { labelSelector: flags.selector };
    for (const object of await listAll({ ...context, listNamespace: context.namespace }, kind, selector))
      found.push({ kind, object });
  }
  return found;
}

export const label = metadataCommand('labels', 'label', 'labels');
export const annotate = metadataCommand('annotations', 'annotate', 'annotations');
