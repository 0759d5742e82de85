/** Reads configuration files and folders. Everything that is wrong is in `problems`; then nothing may be used. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describeError } from '../../base/index.ts';
import type { Body as HclBody } from '../../jobspec/hcl/ast.ts';
import { Diagnostics, formatDiagnostic } from '../../jobspec/hcl/diagnostic.ts';
import { evaluate, type Scope } from '../../jobspec/hcl/evaluate.ts';
import { parseHclBody } from '../../jobspec/hcl/parser.ts';
import { Source, type Range } from '../../jobspec/hcl/source.ts';
import { toPlain } from '../../jobspec/hcl/value.ts';
import { decode, jsonBody, type Body, type Entry } from './decode.ts';
import type { AgentConfigFile } from './options.ts';
import { agentSchema } from './schema.ts';

export interface Loaded {
  readonly configs: readonly AgentConfigFile[];
  readonly files: readonly string[];
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

export async function loadConfigFiles(paths: readonly string[], cwd: string): Promise<Loaded> {
  const configs: AgentConfigFile[] = [];
  const problems: string[] = [];
  const notes: string[] = [];
  const files: string[] = [];
  for (const path of paths) {
    try {
      files.push(...(await filesOf(path, cwd)));
    } catch (error) {
      problems.push(`${path}: ${whyNot(error)}`);
    }
  }
  for (const file of files) {
    try {
      const { body, problems: syntax } = parse(await readFile(resolve(cwd, file), 'utf8'), file);
      problems.push(...syntax);
      if (body === undefined) continue;
      const decoded = decode(body, agentSchema);
      problems.push(...decoded.problems);
      notes.push(...decoded.notes);
      configs.push(decoded.value);
    } catch (error) {
      problems.push(`${file}: ${whyNot(error)}`);
    }
  }
  return { configs, files, problems, notes };
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'permission denied',
};

const whyNot = (error: unknown): string => reasons[(error as NodeJS.ErrnoException).code ?? ''] ?? describeError(error);

async function filesOf(path: string, cwd: string): Promise<string[]> {
  if (!(await stat(resolve(cwd, path))).isDirectory()) return [path];
  const names = (await readdir(resolve(cwd, path))).filter((name) => /\.(hcl|json)$/.test(name) && !name.startsWith('.')).sort();
  if (names.length === 0) throw new Error('the folder has no .hcl or .json file');
  return names.map((name) => join(path, name));
}

function parse(text: string, file: string): { body?: Body; problems: string[] } {
  if (file.endsWith('.json')) {
    const value = JSON.parse(text) as unknown;
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return { problems: [`${file}: must be one JSON object`] };
    return { body: jsonBody(value, agentSchema, file), problems: [] };
  }
  const parsed = parseHclBody(new Source(text, file), { quotedNames: true });
  if (parsed.diagnostics.failed) return { problems: parsed.diagnostics.list.map(formatDiagnostic) };
  const diagnostics = new Diagnostics();
  const body = hclBody(parsed.body, diagnostics);
  return diagnostics.failed ? { problems: diagnostics.list.map(formatDiagnostic) } : { body, problems: [] };
}

/** A configuration has no variables and no functions of its own. */
const scope: Scope = { variables: new Map(), functions: new Map() };

function formatPosition({ source, start }: Range): string {
  const { line, column } = source.position(start);
  return `${source.filename}:${line},${column}`;
}

/** Evaluates every expression. */
function hclBody(body: HclBody, diagnostics: Diagnostics): Body {
  const values = [...body.attributes.values()].map((attribute): [number, Entry] => [
    attribute.range.start,
    {
      key: attribute.name,
      at: formatPosition(attribute.nameRange),
      type: 'value',
      value: toPlain(evaluate(attribute.expression, scope, diagnostics)),
    },
  ]);
  const blocks = body.blocks.map((block): [number, Entry] => [
    block.typeRange.start,
    {
      key: block.type,
      at: formatPosition(block.typeRange),
      type: 'block',
      labels: block.labels.map((l) => l.value),
      body: hclBody(block.body, diagnostics),
    },
  ]);
  return { entries: [...values, ...blocks].sort(([a], [b]) => a - b).map(([, entry]) => entry) };
}
