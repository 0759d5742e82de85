import { formatBigFloat, parseBigFloat } from '../big-float.ts';
import { NULL, bool, number, object, string, tuple, type Value } from '../value.ts';

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
