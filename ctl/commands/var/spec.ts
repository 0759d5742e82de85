import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import type { Context } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { readStdin } from '../../io/streams.ts';

/** A variable as a file describes it. */
export interface VariableSpec {
  readonly namespace?: string;
  readonly path?: string;
  readonly modifyIndex?: number;
  readonly items: Readonly<Record<string, string>>;
}

export type SpecFormat = 'hcl' | 'json';

export const isFile = (argument: string | undefined): argument is string => argument?.startsWith('@') === true;

export function readSpecFormat(text: string): SpecFormat {
  if (text !== 'hcl' && text !== 'json') throw new CommandError('Invalid value for "-in"; valid values are [hcl, json]');
  return text;
}

/** Reads `@file`, whose ending says what it is written in, or `-`, standard input. */
export async function readSpec(context: Context, argument: string, format: SpecFormat): Promise<VariableSpec> {
  if (argument === '-') return parseSpec(await readStdin(context.io), format, 'stdin');
  const path = argument.slice(1);
  const written = extname(path).slice(1);
  if (written !== 'hcl' && written !== 'json')
    throw new CommandError(`Unable to determine format of ${path}; Use the -in flag to specify it.`);
  const text = await readFile(resolve(context.io.cwd, path), 'utf8').catch((error: Error) => {
    throw new CommandError(`Error reading ${JSON.stringify(path)}: ${error.message}`);
  });
  return parseSpec(text, written, path);
}

async function parseSpec(text: string, format: SpecFormat, filename: string): Promise<VariableSpec> {
  const fields = format === 'json' ? fromJson(text) : await fromHcl(text, filename);
  const known: Readonly<Record<string, string>> = {
    namespace: 'namespace',
    path: 'path',
    items: 'items',
    modifyindex: 'modifyIndex',
    createindex: '',
    createtime: '',
    modifytime: '',
    lock: '',
  };
  const out: Record<string, unknown> = { items: {} };
  for (const [key, value] of Object.entries(fields)) {
    const name = known[key.toLowerCase().replaceAll('_', '')];
    if (name === undefined) throw failed(format, `invalid key: ${key}`);
    if (name === '' || value === null) continue;
    if (name === 'items') out['items'] = itemsOf(value, format);
    else if (name === 'modifyIndex') {
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw failed(format, `${key} must be integer`);
      out[name] = value;
    } else if (typeof value === 'string') out[name] = value;
    else throw failed(format, `${key} must be a string`);
  }
  return out as unknown as VariableSpec;
}

/** What is wrong, never with what was written: it holds secrets. */
const failed = (format: SpecFormat, why: string): CommandError =>
  new CommandError(`Failed to parse variable data: error ${format === 'json' ? 'unmarshaling json' : 'parsing hcl'}: ${why}`);

function itemsOf(value: unknown, format: SpecFormat): Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw failed(format, 'items must be a map');
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      // HCL users write numbers; a variable holds texts.
      if (typeof item === 'string') return [key, item];
      if (format === 'hcl' && (typeof item === 'number' || typeof item === 'boolean')) return [key, String(item)];
      throw failed(format, `the value of ${JSON.stringify(key)} must be a string`);
    }),
  );
}

function fromJson(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw failed('json', 'it is not valid JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw failed('json', 'it must be one object');
  return value as Record<string, unknown>;
}

async function fromHcl(text: string, filename: string): Promise<Record<string, unknown>> {
  const [{ parseHclBody }, { evaluate }, { toPlain }, { Source }, { Diagnostics }] = await Promise.all([
    import('../../../jobspec/hcl/parser.ts'),
    import('../../../jobspec/hcl/evaluate.ts'),
    import('../../../jobspec/hcl/value.ts'),
    import('../../../jobspec/hcl/source.ts'),
    import('../../../jobspec/hcl/diagnostic.ts'),
  ]);
  const parsed = parseHclBody(new Source(text, filename));
  const diagnostics = new Diagnostics();
  const scope = { variables: new Map(), functions: new Map() };
  const plain = ({ attributes }: (typeof parsed)['body']): Record<string, unknown> =>
    Object.fromEntries(
      [...attributes.values()].map(({ name, expression }) => [name, toPlain(evaluate(expression, scope, diagnostics))]),
    );
  const fields = plain(parsed.body);
  for (const { type, labels, body } of parsed.body.blocks) {
    if (labels.length > 0 || body.blocks.length > 0) throw failed('hcl', `${type} is not a plain block`);
    fields[type] = plain(body);
  }
  const [problem] = [...parsed.diagnostics.list, ...diagnostics.list];
  if (problem === undefined) return fields;
  const { line, column } = problem.range?.source.position(problem.range.start) ?? { line: 0, column: 0 };
  throw failed('hcl', `${filename}:${line},${column}: ${problem.summary}`);
}
