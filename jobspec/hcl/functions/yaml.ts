import { createRequire } from 'node:module';
import type * as YamlModule from 'yaml';
import { formatBigFloat, parseBigFloat } from '../big-float.ts';
import { NULL, bool, number, object, string, tuple, type Value } from '../value.ts';

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

type Yaml = typeof YamlModule;
let yamlModule: Yaml | undefined;

/** The YAML package, loaded when first needed: it costs more than all the rest of the command line. */
export function yaml(): Yaml {
  yamlModule ??= createRequire(import.meta.url)('yaml') as Yaml;
  return yamlModule;
}

export function yamlDecode(s: string): Value {
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
