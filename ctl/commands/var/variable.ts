import { VariableKind, variableName, variablePath, type Stored, type Variable } from '../../../openapi/index.ts';
import { parseTimestamp } from '../../../base/index.ts';
import type { ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { pairs } from '../../io/columns.ts';
import { say } from '../../io/streams.ts';
import { localTime } from '../../io/time.ts';
import { sorted } from '../../nomad/values.ts';

/** A variable in the form of Nomad's API: times in nanoseconds, indexes as numbers. */
export interface NomadVariable {
  readonly Namespace: string;
  readonly Path: string;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
  readonly CreateTime: number;
  readonly ModifyTime: number;
  readonly Items: Readonly<Record<string, string>>;
}

const nanoseconds = (at: string | null | undefined): number => (parseTimestamp(at ?? '') ?? 0) * 1e6;

export function toNomad({ metadata, spec, status }: Stored<Variable>): NomadVariable {
  const index = Number(metadata.resourceVersion);
  return {
    Namespace: metadata.namespace ?? '',
    Path: spec.path ?? variablePath(metadata.name),
    // The first revision is not kept; it is known of what was never changed.
    CreateIndex: metadata.generation === 1 ? index : 0,
    ModifyIndex: index,
    CreateTime: nanoseconds(metadata.creationTimestamp),
    ModifyTime: nanoseconds(status?.modifiedAt),
    Items: spec.items,
  };
}

/** A path as people write it: with slashes around it, perhaps. */
export const cleanPath = (path: string): string => path.trim().replace(/^\/+|\/+$/g, '');

export async function findVariable(context: ClusterContext, path: string): Promise<Stored<Variable> | undefined> {
  return context.client.withSecrets().find(VariableKind, variableName(cleanPath(path)), context.namespace);
}

export function checkNamespace({ listNamespace }: ClusterContext): void {
  if (listNamespace === undefined) throw new CommandError('The wildcard namespace ("*") is not valid for this command.');
}

/** A check-index: a number that a variable has, 0 for none. */
export function readIndex(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw new CommandError(`Invalid -check-index value ${JSON.stringify(text)}: not parsable as uint64`);
  return Number(text);
}

export interface CheckConflict {
  readonly given: number;
  readonly found: Stored<Variable> | undefined;
}

/** The variable is not, or not any more, what the writer took it for. */
export function checkFailed({ style }: ClusterContext, { given, found }: CheckConflict): CommandError {
  const index = Number(found?.metadata.resourceVersion ?? 0);
  const last = found === undefined ? '' : ` The server-side item was last updated on ${localTime(found.status?.modifiedAt)}.`;
  const text =
    `Your provided check-index (${given}) does not match the server-side index (${index}).${last} If you are sure you want to perform ` +
    `this operation, add the -force or -check-index=${index} flag before the positional arguments.`;
  return new CommandError(`\n${style.bold('Check-and-Set conflict')}\n\n${wrap(text, 76, '    ')}\n`);
}

/** Lines of at most so many columns, each with a prefix. */
export function wrap(text: string, columns: number, prefix: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(prefix + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, prefix + line].join('\n');
}

export const outFormats = ['go-template', 'hcl', 'json', 'none', 'table'] as const;
export type OutFormat = (typeof outFormats)[number];

/** What -out and -template ask for. */
export function readFormat(out: string | undefined, template: string | undefined, fallback: OutFormat): OutFormat {
  const format = out ?? fallback;
  if (!(outFormats as readonly string[]).includes(format))
    throw new CommandError('Invalid value for "-out"; valid values are [go-template, hcl, json, none, table]');
  if (format !== 'go-template' && template !== undefined)
    throw new CommandError(`The '-template' flag is only valid when using 'go-template' formatting`);
  if (format === 'go-template' && (template ?? '') === '')
    throw new CommandError(`A template must be supplied using '-template' when using go-template formatting`);
  return format as OutFormat;
}

/** Prints a variable. */
export async function sayVariable(
  context: ClusterContext,
  variable: NomadVariable,
  format: OutFormat,
  template = '',
): Promise<void> {
  switch (format) {
    case 'none':
      return;
    case 'json':
      return say(context, JSON.stringify(sorted(variable), undefined, 2));
    case 'hcl':
      return say(context, asHcl(variable));
    case 'go-template': {
      const { goTemplate } = await import('../../views/go-template.ts');
      return say(context, goTemplate(template, variable));
    }
    case 'table': {
      const { Namespace, Path, CreateTime, ModifyTime, ModifyIndex, Items } = variable;
      const changed = ModifyTime - CreateTime > 1e9 ? [['Modify Time', localTime(ModifyTime / 1e6)] as const] : [];
      const facts = [['Namespace', Namespace], ['Path', Path], ['Create Time', localTime(CreateTime / 1e6)], ...changed, ['Check Index', ModifyIndex]] as const; // prettier-ignore
      say(context, pairs(facts));
      say(context, `\n${context.style.bold('Items')}`);
      say(context, pairs(Object.entries(Items).sort(([a], [b]) => (a < b ? -1 : 1))));
    }
  }
}

function asHcl({ Namespace, Path, CreateIndex, ModifyIndex, CreateTime, ModifyTime, Items }: NomadVariable): string {
  const width = Math.max(0, ...Object.keys(Items).map((key) => key.length));
  const items = Object.entries(Items)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `  ${key.padStart(width)} = ${quoted(value)}`);
  return `
namespace    = "${Namespace}"
path         = "${Path}"
create_index = ${CreateIndex}  # Set by server
modify_index = ${ModifyIndex}  # Set by server; consulted for check-and-set
create_time  = ${CreateTime}   # Set by server
modify_time  = ${ModifyTime}   # Set by server

items = {
${items.join('\n')}
}
`;
}

/** As a text of HCL in which nothing is evaluated. */
const quoted = (text: string): string => JSON.stringify(text).replaceAll('${', '$${').replaceAll('%{', '%%{');
