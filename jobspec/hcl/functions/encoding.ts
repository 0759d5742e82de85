import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import { formatBigFloat, parseBigFloat } from '../big-float.ts';
import type { HclFunction } from '../evaluate.ts';
import { NULL, STRING, bool, list, number, object, string, tuple, type Value } from '../value.ts';
import { define, p, text } from './define.ts';

export const encoding: Record<string, HclFunction> = {
  jsonencode: { parameters: [p.nullable('val')], call: ([v]) => string(jsonEncode(v!)) },
  jsondecode: define([p.string('str')], ([s]) => jsonDecode(text(s))),
  yamlencode: { parameters: [p.nullable('value')], call: ([v]) => string(yamlEncode(v!)) },
  yamldecode: define([p.string('src')], ([s]) => yamlDecode(text(s))),
  csvdecode: define([p.string('str')], ([s]) => csvDecode(text(s))),
  base64encode: define([p.string('str')], ([s]) => string(Buffer.from(text(s), 'utf8').toString('base64'))),
  base64decode: define([p.string('str')], ([s]) => string(base64Decode(text(s)))),
  urlencode: define([p.string('str')], ([s]) => string(queryEscape(text(s)))),
};

/** As Go's query escaping: a blank is a plus, and only letters, digits and `-_.~` stay. */
function queryEscape(s: string): string {
  return encodeURIComponent(s)
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}

function base64Decode(s: string): string {
  const bytes = Buffer.from(s, 'base64');
  if (!/^[A-Za-z0-9+/\r\n]*={0,2}[\r\n]*$/.test(s) || s.replace(/[\r\n]/g, '').length % 4 !== 0) {
    throw new Error(`failed to decode base64 data ${JSON.stringify(s)}`);
  }
  const out = bytes.toString('utf8');
  if (!Buffer.from(out, 'utf8').equals(bytes)) throw new Error('the result of decoding the provided string is not valid UTF-8');
  return out;
}

// --- JSON

/** JSON as the function gives it: keys sorted, numbers exact, and `< > &` escaped so that it can stand in HTML. */
export function jsonEncode(v: Value): string {
  switch (v.kind) {
    case 'null':
    case 'unknown':
      return 'null';
    case 'bool':
      return String(v.bool);
    case 'number':
      return formatBigFloat(v.number);
    case 'string':
      return jsonString(v.string);
    case 'list':
    case 'set':
    case 'tuple':
      return `[${v.items.map(jsonEncode).join(',')}]`;
    case 'map':
    case 'object':
      return `{${[...v.entries].map(([k, e]) => `${jsonString(k)}:${jsonEncode(e)}`).join(',')}}`;
  }
}

function jsonString(s: string): string {
  return JSON.stringify(s).replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Reads JSON without losing digits of large numbers. */
export function jsonDecode(s: string): Value {
  const reader = new JsonReader(s);
  return reader.document();
}

class JsonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): Value {
    const v = this.#value(0);
    this.#space();
    if (this.#at < this.#text.length) throw new Error('extraneous data after JSON object');
    return v;
  }

  #space(): void {
    while (' \t\r\n'.includes(this.#text[this.#at] ?? 'x')) this.#at++;
  }

  #value(depth: number): Value {
    if (depth > 500) throw new Error('exceeded max depth');
    this.#space();
    const c = this.#text[this.#at];
    if (c === undefined) throw new Error('EOF');
    if (c === '{') return this.#object(depth);
    if (c === '[') return this.#array(depth);
    if (c === '"') return string(this.#string());
    for (const [word, v] of WORDS) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return v;
      }
    }
    const match = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/.exec(this.#text.slice(this.#at, this.#at + 400));
    const n = match === null ? undefined : parseBigFloat(match[0]);
    if (match === null || n === undefined) throw this.#unexpected('looking for beginning of value');
    this.#at += match[0].length;
    return number(n);
  }

  #unexpected(where: string): Error {
    const c = this.#text[this.#at];
    return c === undefined
      ? new Error('unexpected EOF')
      : new Error(`invalid character ${JSON.stringify(c).replaceAll('"', "'")} ${where}`);
  }

  #object(depth: number): Value {
    this.#at++;
    const entries: [string, Value][] = [];
    this.#space();
    if (this.#text[this.#at] === undefined) throw new Error('EOF');
    if (this.#text[this.#at] === '}') {
      this.#at++;
      return object(entries);
    }
    for (;;) {
      this.#space();
      if (this.#text[this.#at] !== '"') throw this.#unexpected('looking for beginning of object key string');
      const key = this.#string();
      this.#space();
      if (this.#text[this.#at] !== ':') throw this.#unexpected('after object key');
      this.#at++;
      entries.push([key, this.#value(depth + 1)]);
      this.#space();
      const c = this.#text[this.#at];
      if (c === undefined) throw new Error('EOF');
      if (c !== ',' && c !== '}') throw this.#unexpected('after object key:value pair');
      this.#at++;
      if (c === '}') return object(entries);
    }
  }

  #array(depth: number): Value {
    this.#at++;
    const out: Value[] = [];
    this.#space();
    if (this.#text[this.#at] === undefined) throw new Error('EOF');
    if (this.#text[this.#at] === ']') {
      this.#at++;
      return tuple(out);
    }
    for (;;) {
      out.push(this.#value(depth + 1));
      this.#space();
      const c = this.#text[this.#at];
      if (c === undefined) throw new Error('EOF');
      if (c !== ',' && c !== ']') throw this.#unexpected('after array element');
      this.#at++;
      if (c === ']') return tuple(out);
    }
  }

  #string(): string {
    const start = this.#at;
    this.#at++;
    while (this.#at < this.#text.length && this.#text[this.#at] !== '"') this.#at += this.#text[this.#at] === '\\' ? 2 : 1;
    if (this.#at >= this.#text.length) throw new Error('unexpected EOF');
    this.#at++;
    try {
      return JSON.parse(this.#text.slice(start, this.#at)) as string;
    } catch {
      throw new Error('invalid character in string literal');
    }
  }
}

const WORDS: readonly (readonly [string, Value])[] = [
  ['true', bool(true)],
  ['false', bool(false)],
  ['null', NULL],
];

// --- YAML

/** Block style with every string quoted, as the function promises; texts of several lines as literal blocks. */
export function yamlEncode(v: Value): string {
  const lines = yamlLines(v);
  return `${lines.join('\n')}\n`;
}

function yamlLines(v: Value): string[] {
  if (v.kind === 'list' || v.kind === 'set' || v.kind === 'tuple') {
    if (v.items.length === 0) return ['[]'];
    return v.items.flatMap((item) => {
      const inner = yamlLines(item);
      return inner.map((line, i) => (i === 0 ? `- ${line}` : line === '' ? '' : `  ${line}`));
    });
  }
  if (v.kind === 'map' || v.kind === 'object') {
    if (v.entries.size === 0) return ['{}'];
    return [...v.entries].flatMap(([key, item]) => {
      const inner = yamlLines(item);
      const name = JSON.stringify(key);
      const sequence = (item.kind === 'list' || item.kind === 'set' || item.kind === 'tuple') && item.items.length > 0;
      const mapping = (item.kind === 'map' || item.kind === 'object') && item.entries.size > 0;
      if (sequence) return [`${name}:`, ...inner];
      if (mapping) return [`${name}:`, ...inner.map((line) => (line === '' ? '' : `  ${line}`))];
      return [`${name}: ${inner[0]!}`, ...inner.slice(1).map((line) => (line === '' ? '' : `  ${line}`))];
    });
  }
  return yamlScalar(v);
}

function yamlScalar(v: Value): string[] {
  if (v.kind === 'string') {
    const s = v.string;

    const literal = s.includes('\n') && !/^[\s]|[^\S\n]\n|[\x00-\x08\x0b-\x1f\x7f]/.test(s) && !s.endsWith(' ');
    if (!literal) return [JSON.stringify(s)];
    const trailing = /\n*$/.exec(s)![0].length;
    const indicator = trailing === 0 ? '|-' : trailing === 1 ? '|' : '|+';
    const body = trailing > 0 ? s.slice(0, -1) : s;
    return [indicator, ...body.split('\n')];
  }
  if (v.kind === 'number') return [formatBigFloat(v.number)];
  if (v.kind === 'bool') return [String(v.bool)];
  return ['null'];
}

let yamlModule: typeof Yaml | undefined;

/** The YAML package, loaded when first needed: it costs more than all the rest of the command line. */
export function yaml(): typeof Yaml {
  yamlModule ??= createRequire(import.meta.url)('yaml') as typeof Yaml;
  return yamlModule;
}

function yamlDecode(s: string): Value {
  const { parseDocument, isMap, isSeq, isScalar, isAlias } = yaml();
  const doc = parseDocument(s, { version: '1.1', merge: true });
  const first = doc.errors[0];
  if (first !== undefined) throw new Error(first.message.split('\n')[0]);
  const value = (node: unknown, depth: number): Value => {
    if (depth > 200) throw new Error('nested too deeply');
    if (isAlias(node)) return value(node.resolve(doc), depth + 1);
    if (isMap(node)) {
      return object(
        node.items.map((pair) => {
          const key = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
          return [key, value(pair.value, depth + 1)] as const;
        }),
      );
    }
    if (isSeq(node)) return tuple(node.items.map((item) => value(item, depth + 1)));
    if (isScalar(node)) return scalar(node.value, node.source);
    return NULL;
  };
  return value(doc.contents, 0);
}

function scalar(v: unknown, source: string | undefined): Value {
  if (typeof v === 'string') return string(v);
  if (typeof v === 'boolean') return bool(v);
  if (typeof v === 'number' || typeof v === 'bigint') {
    const exact = source === undefined ? undefined : parseBigFloat(source);
    return number(exact ?? Number(v));
  }
  if (v instanceof Date) return string(source ?? v.toISOString());
  return NULL;
}

// --- CSV

function csvDecode(s: string): Value {
  const rows = csvRows(s);
  const header = rows.shift();
  if (header === undefined) throw new Error('missing header line');
  const seen = new Set<string>();
  for (const name of header) {
    if (seen.has(name)) throw new Error(`duplicate column name ${JSON.stringify(name)}`);
    seen.add(name);
  }
  const type = { kind: 'object' as const, attributes: new Map(header.map((h) => [h, STRING] as const)) };
  return list(
    type,
    rows.map((row, i) => {
      if (row.length !== header.length) throw new Error(`record on line ${i + 2}: wrong number of fields`);
      return object(header.map((h, j) => [h, string(row[j]!)] as const));
    }),
  );
}

function csvRows(s: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  const endRow = (): void => {
    if (row.length > 1 || (row[0] ?? '') !== '') rows.push(row);
    row = [];
  };
  while (at < s.length) {
    let field = '';
    if (s[at] === '"') {
      at++;
      for (;;) {
        const quote = s.indexOf('"', at);
        if (quote === -1) throw new Error('parse error: extraneous or missing " in quoted-field');
        field += s.slice(at, quote);
        at = quote + 1;
        if (s[at] !== '"') break;
        field += '"';
        at++;
      }
    } else {
      const end = s.slice(at).search(/[,\n]/);
      field = end === -1 ? s.slice(at) : s.slice(at, at + end);
      at += field.length;
      field = field.replace(/\r$/, '');
    }
    row.push(field);
    if (s[at] === ',') {
      at++;
      if (at === s.length) row.push('');
      continue;
    }
    if (s[at] === '\r') at++;
    if (s[at] === '\n' || at >= s.length) {
      at++;
      endRow();
    }
  }
  if (row.length > 0) endRow();
  return rows;
}
