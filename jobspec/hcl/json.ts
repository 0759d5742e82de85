import type { Diagnostics } from './diagnostic.ts';
import type { Range, Source } from './source.ts';

/** JSON with the place of everything. */
export type JsonNode = { readonly range: Range } & (
  | { readonly kind: 'null' }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
  | { readonly kind: 'object'; readonly entries: readonly JsonEntry[] }
);

export interface JsonEntry {
  readonly key: string;
  readonly keyRange: Range;
  readonly value: JsonNode;
}

const MAX_DEPTH = 500;

/** Parses JSON; undefined, with one diagnostic, when it is broken. */
export function parseJson(source: Source, diagnostics: Diagnostics): JsonNode | undefined {
  const { text } = source;
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;

  class Stop extends Error {}
  const range = (start: number, end = at): Range => ({ source, start, end });
  const fail = (detail: string, start = at, end = Math.min(start + 1, text.length)): never => {
    diagnostics.error('Invalid JSON', detail, range(start, end));
    throw new Stop();
  };
  const space = (): void => {
    while (at < text.length && ' \t\r\n'.includes(text[at]!)) at++;
  };

  const value = (depth: number): JsonNode => {
    if (depth > MAX_DEPTH) fail('Values are nested too deeply.');
    space();
    const start = at;
    const c = text[at];
    if (c === undefined) return fail('The JSON data ended where a value was expected.', at, at);
    if (c === '{') return object(depth);
    if (c === '[') return array(depth);
    if (c === '"') return { kind: 'string', value: quoted(), range: range(start) };
    for (const word of ['true', 'false', 'null'] as const) {
      if (!text.startsWith(word, at)) continue;
      at += word.length;
      return word === 'null'
        ? { kind: 'null', range: range(start) }
        : { kind: 'bool', value: word === 'true', range: range(start) };
    }
    const match = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
    match.lastIndex = at;
    const found = match.exec(text);
    if (found !== null) {
      at += found[0].length;
      return { kind: 'number', text: found[0], range: range(start) };
    }
    if (c === "'") return fail('JSON strings must be in double quotes (").');
    return fail('A JSON value must be an object, an array, a text in double quotes, a number, true, false or null.');
  };

  const quoted = (): string => {
    const start = at++;
    while (at < text.length && text[at] !== '"' && text[at] !== '\n') at += text[at] === '\\' ? 2 : 1;
    if (text[at] !== '"') fail('The closing quote of this text is missing.', start, Math.min(at, text.length));
    at++;
    try {
      return JSON.parse(text.slice(start, at)) as string;
    } catch {
      return fail('This text holds an escape sequence or a control character that JSON does not allow.', start, at);
    }
  };

  const object = (depth: number): JsonNode => {
    const start = at++;
    const entries: JsonEntry[] = [];
    space();
    if (text[at] === '}') {
      at++;
      return { kind: 'object', entries, range: range(start) };
    }
    for (;;) {
      space();
      const keyStart = at;
      if (at >= text.length) fail('The closing brace of this object is missing.', start);
      if (text[at] === '}') fail('A comma must be followed by another property.');
      if (text[at] !== '"') fail('A property name in double quotes is expected here.');
      const key = quoted();
      const keyRange = range(keyStart);
      space();
      if (text[at] !== ':')
        fail(
          text[at] === '='
            ? 'JSON separates a name from its value by a colon, not an equals sign.'
            : 'A colon is expected between a property name and its value.',
        );
      at++;
      entries.push({ key, keyRange, value: value(depth + 1) });
      space();
      if (text[at] === ',') {
        at++;
        continue;
      }
      if (text[at] === '}') {
        at++;
        return { kind: 'object', entries, range: range(start) };
      }
      if (at >= text.length) fail('The closing brace of this object is missing.', start);
      fail('A comma or a closing brace is expected after a property.');
    }
  };

  const array = (depth: number): JsonNode => {
    const start = at++;
    const items: JsonNode[] = [];
    space();
    if (text[at] === ']') {
      at++;
      return { kind: 'array', items, range: range(start) };
    }
    for (;;) {
      items.push(value(depth + 1));
      space();
      if (text[at] === ',') {
        at++;
        space();
        if (text[at] === ']') fail('A comma must be followed by another item.');
        continue;
      }
      if (text[at] === ']') {
        at++;
        return { kind: 'array', items, range: range(start) };
      }
      if (at >= text.length) fail('The closing bracket of this list is missing.', start);
      fail('A comma or a closing bracket is expected after an item.');
    }
  };

  try {
    const root = value(0);
    space();
    if (at < text.length) fail('Nothing may follow the value.');
    return root;
  } catch (err) {
    if (err instanceof Stop) return undefined;
    throw err;
  }
}

/** The plain data of a node. */
export function jsonData(node: JsonNode): unknown {
  switch (node.kind) {
    case 'null':
      return null;
    case 'bool':
    case 'string':
      return node.value;
    case 'number':
      return Number(node.text);
    case 'array':
      return node.items.map(jsonData);
    case 'object':
      return Object.fromEntries(node.entries.map((e) => [e.key, jsonData(e.value)]));
  }
}
