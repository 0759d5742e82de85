import type { Job } from '../../openapi/index.ts';
import type { Fields } from '../job/decode.ts';
import { job as jobSchema, type BlockSchema, type Field } from '../job/schema.ts';
import { jobId } from '../nomad/index.ts';
import { formatHclText } from './format.ts';

/**
 * Writes a Job as a job file. Reading the file again gives the same Job; only in free-form data (`config`) an object that stands for itself becomes a list of
 * one, since the language has no other way to say it.
 */
export function formatHcl(job: Job): string {
  const { namespace } = job.metadata;
  const { id: _id, stop: _stop, ...spec } = job.spec as Fields;
  const head = namespace === undefined || namespace === 'default' ? [] : [`namespace = ${quoted(namespace)}`];
  const lines = ['job ' + quoted(jobId(job)) + ' {', ...blockLines(spec, jobSchema, head), '}'];
  return formatHclText(`${lines.join('\n')}\n`);
}

/** The content of a block: arguments first, then the nested blocks with blank lines between them. Spacing is left to the formatter. */
function blockLines(fields: Fields, schema: BlockSchema, head: readonly string[] = []): string[] {
  const simple: string[] = [...head];
  const nested: string[][] = [];
  // What a block is made of comes last, after what is said about all of it.
  const inner = (field: Field): boolean => field.name === 'groups' || field.name === 'tasks';
  for (const field of [...schema.fields.filter((f) => !inner(f)), ...schema.fields.filter(inner)]) {
    const value = fields[field.name];
    if (value === undefined || value === null) continue;
    if (isSimple(field)) simple.push(`${field.hcl} = ${expression(value)}`);
    else nested.push(...nestedBlocks(field, value));
  }
  const out = [...simple];
  for (const lines of nested) {
    if (out.length > 0) out.push('');
    out.push(...lines);
  }
  return out;
}

const isSimple = (field: Field): boolean =>
  field.kind !== 'block' && field.kind !== 'blocks' && field.kind !== 'map' && field.kind !== 'free' && field.kind !== 'lists';

function nestedBlocks(field: Field, value: unknown): string[][] {
  switch (field.kind) {
    case 'block':
      return [wrapped(field.hcl, [], blockLines(value as Fields, field.schema))];
    case 'blocks':
      return (value as Fields[]).map((item) => wrapped(field.hcl, labelsOf(field, item), blockLines(item, field.schema)));
    case 'map':
    case 'lists': {
      const entries = inOrder(value as Fields);
      if (!entries.every(([key]) => isIdentifier(key))) return [[`${field.hcl} = ${expression(value)}`]];
      return [
        wrapped(
          field.hcl,
          [],
          entries.map(([key, v]) => `${key} = ${expression(v)}`),
        ),
      ];
    }
    case 'free':
      return [freeBlock(field.hcl, value as Fields)];
    case 'string':
    case 'int':
    case 'bool':
    case 'duration':
    case 'strings':
    case 'ints':
      return [];
  }
}

const SCALED: Record<string, string> = { vertical_cpu: 'cpu', vertical_mem: 'mem' };

function labelsOf(field: Extract<Field, { kind: 'blocks' }>, item: Fields): string[] {
  if (field.name === 'scalings') return [SCALED[String(item.type)] ?? String(item.type)];
  const { label } = field.schema;
  const value = label === undefined ? undefined : item[label.name];
  return typeof value === 'string' ? [value] : [];
}

function wrapped(type: string, labels: readonly string[], lines: readonly string[]): string[] {
  // A label is plain text: nothing in it is a reference.
  const head = [type, ...labels.map((label) => `"${escapeText(label)}"`)].join(' ');
  return lines.length === 0 ? [`${head} {}`] : [`${head} {`, ...lines, '}'];
}

function freeBlock(name: string, data: Fields): string[] {
  const keys = Object.keys(data);
  if (!keys.every(isIdentifier)) return [`${name} = ${expression(data)}`];
  return wrapped(name, [], freeLines(data));
}

function freeLines(data: Fields): string[] {
  const simple: string[] = [];
  const nested: string[][] = [];
  for (const [key, value] of inOrder(data)) {
    if (value === null || value === undefined) continue;
    if (Array.isArray(value) && value.length > 0 && value.every(canBeBlock)) {
      nested.push(...value.map((item) => wrapped(key, [], freeLines(item as Fields))));
    } else if (Array.isArray(value) && value.length === 1 && isObject(value[0])) simple.push(`${key} = ${expression(value[0])}`);
    else simple.push(`${key} = ${expression(value)}`);
  }
  return [...simple, ...nested.flatMap((lines) => (simple.length > 0 || nested.length > 1 ? ['', ...lines] : lines))];
}

/** Whether an object reads back as itself when it is written as a block: no objects in it that stand outside of lists. */
function canBeBlock(value: unknown): boolean {
  return (
    isObject(value) &&
    Object.entries(value).every(
      ([key, v]) =>
        isIdentifier(key) &&
        key !== 'dynamic' &&
        v !== null &&
        !isObject(v) &&
        (!Array.isArray(v) || !v.some(isObject) || v.every(canBeBlock)),
    )
  );
}

const isObject = (v: unknown): v is Fields => typeof v === 'object' && v !== null && !Array.isArray(v);
const isIdentifier = (s: string): boolean => /^[\p{ID_Start}_][\p{ID_Continue}-]*$/u.test(s);

/** The entries of a map by their names: it has no order of its own, and the same job is to give the same text. */
const inOrder = (fields: Fields): [string, unknown][] => Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1));

/** A value as an expression. */
function expression(v: unknown): string {
  if (typeof v === 'string') return text(v);
  if (Array.isArray(v)) {
    // The mark that ends a heredoc stands alone on its line: no comma can follow it.
    const items = v.map((item) => (typeof item === 'string' ? quoted(item) : expression(item)));
    return items.some((i) => i.includes('\n')) ? `[\n${items.map((i) => `${i},\n`).join('')}]` : `[${items.join(', ')}]`;
  }
  if (isObject(v)) {
    const entries = inOrder(v).map(
      ([key, item]) => `${isIdentifier(key) && !KEYWORDS.has(key) ? key : quoted(key)} = ${expression(item)}`,
    );
    return entries.length === 0 ? '{}' : `{\n${entries.map((e) => `${e}\n`).join('')}}`;
  }
  return String(v);
}

const KEYWORDS = new Set(['for', 'true', 'false', 'null']);

/** Texts of several lines as heredoc where that says exactly the same. */
function text(s: string): string {
  const lines = s.split('\n');

  if (lines.length < 3 || lines.at(-1) !== '' || /[\x00-\x08\x0b-\x1f\x7f]/.test(s)) return quoted(s);
  let marker = 'EOF';
  while (lines.some((line) => line.trim() === marker)) marker += '_';
  return `<<${marker}\n${escapeTemplates(s)}${marker}`;
}

const ESCAPES: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '"': '\\"', '\\': '\\\\' };

function quoted(s: string): string {
  let out = '';
  let at = 0;
  // References stay as they are, quotes included; everything around them is escaped.
  for (const match of s.matchAll(REFERENCE)) {
    if (!isReference(s, match.index, match[1]!)) continue;
    out += escapeText(s.slice(at, match.index)) + match[0];
    at = match.index + match[0].length;
  }
  return `"${out}${escapeText(s.slice(at))}"`;
}

const escapeText = (s: string): string =>
  s
    .replace(/["\\\x00-\x1f\x7f]/g, (c) => ESCAPES[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .replace(/([$%])\{/g, '$1$1{');

/** `${attr.cpu.arch}`, `${NOMAD_PORT_http}`, `${env["HOME"]}`: what reads back as the very same text. */
const REFERENCE = /\$\{([A-Za-z_][\w-]*)(?:\.[A-Za-z_][\w-]*|\["[^"\\$%\n]*"\]|\[\d+\])*\}/g;

const isReference = (s: string, at: number, root: string): boolean =>
  s[at - 1] !== '$' && !['var', 'local', ...KEYWORDS].includes(root);

function escapeTemplates(s: string): string {
  return s.replace(/([$%])\{/g, (mark: string, sign: string, at: number) => {
    REFERENCE.lastIndex = at;
    const match = sign === '$' ? REFERENCE.exec(s) : null;
    return match !== null && match.index === at && isReference(s, at, match[1]!) ? mark : `${sign}${sign}{`;
  });
}
