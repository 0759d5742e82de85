import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isReason } from '../../../base/index.ts';
import type { AnyObject, Kind, Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { CommandError, explain } from '../../errors.ts';
import { complain, hint, say } from '../../io/streams.ts';
import { resourceName } from '../../kinds.ts';
import { sameContent } from '../../put.ts';
import { update } from '../../write.ts';
import { named } from './patch.ts';

export const edit = defineClusterCommand({
  name: 'edit',
  summary: 'Change an object in an editor',
  usage: '[options] <kind> <name>',
  description:
    'Opens the object as YAML in ORCH_EDITOR, VISUAL or EDITOR and stores what is saved. When the server refuses it, the editor opens again with ' +
    'the reason above it; an unchanged file ends it.',
  examples: [{ text: 'A job', command: 'edit job example' }],
  args: { min: 1, max: 2, rule: 'This command takes a kind and a name: <kind> <name>' },
  completes: 'kind',
  flags: { editor: flag.string('<command>', 'The editor.') },
  async run({ args, flags }, context) {
    const [target] = await named(context, args);
    const { env } = context;
    const editor = flags.editor ?? [env.ORCH_EDITOR, env.VISUAL, env.EDITOR].find((one) => (one ?? '') !== '') ?? 'vi';
    const folder = await mkdtemp(join(tmpdir(), 'orchctl-edit-'));
    try {
      return await editing(context, target!.kind, target!.object, editor, join(folder, `${target!.object.metadata.name}.yaml`));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
});

async function editing(
  context: ClusterContext,
  kind: Kind,
  object: Stored<AnyObject>,
  editor: string,
  path: string,
): Promise<number> {
  const { parse, stringify } = await import('yaml');
  const label = `${resourceName(kind)}/${object.metadata.name}`;
  const { status: _, ...shown } = object as Stored<AnyObject> & { status?: unknown };
  let text = stringify(shown, { lineWidth: 0 });
  let problem = '';
  for (;;) {
    const opened = `${heading(problem)}${text}`;
    await writeFile(path, opened);
    await runEditor(context, editor, path);
    const saved = await readFile(path, 'utf8');
    if (saved === opened || saved.trim() === '') {
      say(context, problem === '' ? `${label} unchanged` : 'Edit cancelled, nothing was changed');
      return problem === '' ? 0 : 1;
    }
    text = saved.replace(/^(#.*\n)+/, '');
    try {
      const changed = parse(text) as AnyObject;
      if (sameContent(object, { ...object, ...changed, metadata: { ...object.metadata, ...changed.metadata } })) {
        say(context, `${label} unchanged`);
        return 0;
      }
      const { warnings } = await update(context, kind, {
        ...changed,
        metadata: { ...changed.metadata, name: object.metadata.name },
      });
      say(context, `${label} edited`);
      for (const warning of warnings) complain(context, context.style.yellow(`Warning: ${label}: ${warning}`));
      if (kind.kind === 'Job') hint(context, `See what comes of it: ${context.program} job status ${object.metadata.name}`);
      return 0;
    } catch (error) {
      if (isReason(error, 'Conflict')) throw new CommandError(`${label} was changed by somebody else meanwhile; edit it again`);
      if (error instanceof Error && !isReason(error, 'Invalid', 'BadRequest') && error.name !== 'YAMLParseError') throw error;
      problem = explain(error, context.program);
      if (!context.io.canAsk) throw new CommandError(`${label}: ${problem}`);
    }
  }
}

const heading = (problem: string): string =>
  problem === ''
    ? '# Lines like this one are ignored. An unchanged or empty file changes nothing.\n'
    : problem.split('\n').map((line) => `# ${line}\n`).join(''); // prettier-ignore

function runEditor(context: ClusterContext, editor: string, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // By a shell, since editors are named with options: EDITOR="code --wait".
    const child = spawn('/bin/sh', ['-c', `${editor} "$1"`, 'sh', path], { stdio: 'inherit', cwd: context.io.cwd });
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new CommandError(`The editor "${editor}" ended with exit code ${code}; nothing was changed`)))); // prettier-ignore
  });
}
