/** Functions that need nothing but their arguments: those of text/template, of consul-template, and those of sprig people use. */
import { createHash, createHmac, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { parse as parseYaml, stringify as stringifyYaml } from 'yaml';
import { isTrue, kindOf, toText, type Functions, type Value } from './evaluate.ts';
import { formatGoTime } from './go-time.ts';
import { TemplateError } from './parse.ts';

const text = (value: Value): string => (value === undefined || value === null ? '' : toText(value));
const number = (value: Value): number => {
  const found =
    typeof value === 'number' ? value : typeof value === 'boolean' ? Number(value) : Number(text(value).trim() || NaN);
  if (Number.isNaN(found)) throw new TemplateError(`"${text(value)}" is not a number`);
  return found;
};
const list = (value: Value): Value[] => {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new TemplateError(`${kindOf(value)} is not a list`);
  return value;
};
const map = (value: Value): Record<string, Value> => {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw new TemplateError(`${kindOf(value)} is not a map`);
  return value as Record<string, Value>;
};
const sorted = (value: Value): Value => {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([, v]) => typeof v !== 'function').sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, sorted(v)])); // prettier-ignore
};
/** A map that a key called `__proto__` does nothing to. */
const newMap = (entries: Iterable<readonly [string, Value]> = []): Record<string, Value> => {
  const made = Object.create(null) as Record<string, Value>;
  for (const [key, value] of entries) made[key] = value;
  return made;
};
const regex = (pattern: Value, flags = 'u'): RegExp => {
  const [, own = '', rest = ''] = /^\(\?([ims]+)\)(.*)$/s.exec(text(pattern)) ?? [undefined, '', text(pattern)];
  return new RegExp(rest, flags + own);
};
/** Go writes groups as ${1} and $1. */
const replacement = (value: Value): string => text(value).replaceAll(/\$\{(\w+)\}/g, (_, name: string) => (/^\d+$/.test(name) ? `$${name}` : `$<${name}>`)); // prettier-ignore

const compare = (a: Value, b: Value): number => {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0;
  throw new TemplateError(`incompatible types for comparison: ${kindOf(a)} and ${kindOf(b)}`);
};
const equal = (a: Value, b: Value): boolean => (a ?? undefined) === (b ?? undefined) || isDeepStrictEqual(a, b);

const element = (value: Value, ...keys: Value[]): Value =>
  keys.reduce<Value>((at, key) => {
    if (Array.isArray(at)) {
      const i = number(key);
      if (i < 0 || i >= at.length) throw new TemplateError(`index out of range: ${i}`);
      return at[i] as Value;
    }
    if (typeof at === 'string') return at.charCodeAt(number(key));
    if (at === undefined || at === null) throw new TemplateError('index of nil');
    return Object.hasOwn(map(at), text(key)) ? map(at)[text(key)] : undefined;
  }, value);

/** The verbs of printf that make sense without types. */
function printf(format: Value, ...args: Value[]): string {
  let next = 0;
  return text(format).replaceAll(/%([-+# 0]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g, (_, flags: string, width: string | undefined, precision: string | undefined, verb: string) => {
    if (verb === '%') return '%';
    if (next >= args.length) return `%!${verb}(MISSING)`;
    const value = args[next++];
    const digits = precision === undefined ? undefined : Number(precision);
    let out: string;
    if (verb === 'd') out = String(Math.trunc(number(value)));
    else if (verb === 'f' || verb === 'F') out = number(value).toFixed(digits ?? 6);
    else if (verb === 'e') out = number(value).toExponential(digits ?? 6).replace(/e([+-])(\d)$/, 'e$10$2');
    else if (verb === 'g') out = toText(number(value));
    else if (verb === 'x' || verb === 'X') out = typeof value === 'number' ? value.toString(16) : Buffer.from(text(value)).toString('hex');
    else if (verb === 'o' || verb === 'b') out = number(value).toString(verb === 'o' ? 8 : 2);
    else if (verb === 'q') out = JSON.stringify(text(value));
    else if (verb === 'c') out = String.fromCodePoint(number(value));
    else if (verb === 't') out = String(isTrue(value));
    else if (verb === 'T') out = kindOf(value);
    else out = digits === undefined ? toText(value) : text(value).slice(0, digits);
    if (verb === 'X') out = out.toUpperCase();
    if (flags.includes('+') && 'dfFeg'.includes(verb) && !out.startsWith('-')) out = `+${out}`;
    if (width === undefined) return out;
    if (flags.includes('-')) return out.padEnd(Number(width));
    return flags.includes('0') && 'dfFegxXob'.includes(verb) ? (out.startsWith('-') ? `-${out.slice(1).padStart(Number(width) - 1, '0')}` : out.padStart(Number(width), '0')) : out.padStart(Number(width)); // prettier-ignore
  }); // prettier-ignore
}

const title = (value: Value): string => text(value).replaceAll(/(^|\s)(\p{L})/gu, (_, blank: string, letter: string) => blank + letter.toUpperCase()); // prettier-ignore
const indent = (spaces: Value, value: Value): string => text(value).split('\n').map((line) => (line === '' ? line : ' '.repeat(number(spaces)) + line)).join('\n'); // prettier-ignore
const hash = (algorithm: string) => (value: Value) => createHash(algorithm).update(text(value)).digest('hex');
const json = (value: Value, space?: number): string => JSON.stringify(sorted(value), undefined, space);
const escapeHtml = (value: string): string => value.replaceAll(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const go: Functions = {
  eq: (a, ...others) => others.some((other) => equal(a, other)),
  ne: (a, b) => !equal(a, b),
  lt: (a, b) => compare(a, b) < 0,
  le: (a, b) => compare(a, b) <= 0,
  gt: (a, b) => compare(a, b) > 0,
  ge: (a, b) => compare(a, b) >= 0,
  not: (value) => !isTrue(value),
  len: (value) => (typeof value === 'string' ? Buffer.byteLength(value) : Array.isArray(value) ? value.length : Object.keys(map(value)).length),
  index: element,
  slice: (value, from = 0, to) => (typeof value === 'string' ? value : list(value)).slice(number(from), to === undefined ? undefined : number(to)),
  print: (...values) => values.map(toText).join(''),
  println: (...values) => `${values.map(toText).join(' ')}\n`,
  printf: printf,
  html: (...values) => escapeHtml(values.map(text).join('')),
  js: (...values) => JSON.stringify(values.map(text).join('')).slice(1, -1).replaceAll("'", "\\'"),
  urlquery: (...values) => encodeURIComponent(values.map(text).join('')).replaceAll('%20', '+'),
}; // prettier-ignore

const consul: Functions = {
  base64Decode: (value) => Buffer.from(text(value), 'base64').toString(),
  base64Encode: (value) => Buffer.from(text(value)).toString('base64'),
  base64URLDecode: (value) => Buffer.from(text(value), 'base64url').toString(),
  base64URLEncode: (value) => Buffer.from(text(value)).toString('base64url'),
  contains: (item, all) => list(all).some((one) => equal(one, item)),
  containsAll: (items, all) => list(items).every((item) => list(all).some((one) => equal(one, item))),
  containsAny: (items, all) => list(items).some((item) => list(all).some((one) => equal(one, item))),
  containsNone: (items, all) => !list(items).some((item) => list(all).some((one) => equal(one, item))),
  containsNotAll: (items, all) => !list(items).every((item) => list(all).some((one) => equal(one, item))),
  in: (all, item) => (typeof all === 'string' ? all.includes(text(item)) : list(all).some((one) => equal(one, item))),
  indent,
  join: (separator, all) => list(all).map(text).join(text(separator)),
  loop: (...bounds) => {
    const [from, to] = bounds.length > 1 ? [number(bounds[0]), number(bounds[1])] : [0, number(bounds[0])];
    return Array.from({ length: Math.min(Math.max(0, to - from), 1_000_000) }, (_, i) => from + i);
  },
  parseBool: (value) => /^(1|t|true)$/i.test(text(value)),
  parseFloat: number,
  parseInt: (value) => Math.trunc(number(value === '' ? 0 : value)),
  parseUint: (value) => Math.trunc(number(value === '' ? 0 : value)),
  parseJSON: (value) => (text(value) === '' ? newMap() : (JSON.parse(text(value)) as Value)),
  parseYAML: (value) => (text(value) === '' ? newMap() : (parseYaml(text(value)) as Value)),
  toJSON: (value) => json(value),
  toJSONPretty: (value) => json(value, 2),
  toUnescapedJSON: (value) => json(value),
  toUnescapedJSONPretty: (value) => json(value, 2),
  toYAML: (value) => stringifyYaml(sorted(value)).trimEnd(),
  regexMatch: (pattern, value) => regex(pattern).test(text(value)),
  regexReplaceAll: (pattern, by, value) => text(value).replace(regex(pattern, 'gu'), replacement(by)),
  replaceAll: (from, to, value) => text(value).replaceAll(text(from), () => text(to)),
  sha256Hex: hash('sha256'),
  md5sum: hash('md5'),
  hmacSHA256Hex: (value, key) => createHmac('sha256', text(key)).update(text(value)).digest('hex'),
  split: (separator, value) => (text(value) === '' ? [] : text(value).split(text(separator))),
  splitToMap: (entries, pairs, value) => newMap(text(value).split(text(entries)).map((pair) => { const at = pair.indexOf(text(pairs)); return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + text(pairs).length)]; })),
  timestamp: (layout) => formatGoTime(new Date(), layout === undefined ? '2006-01-02T15:04:05Z07:00' : text(layout)),
  toLower: (value) => text(value).toLowerCase(),
  toUpper: (value) => text(value).toUpperCase(),
  toTitle: title,
  trim: (cut, value) => trimSet(text(value), text(cut)),
  trimPrefix: (prefix, value) => (text(value).startsWith(text(prefix)) ? text(value).slice(text(prefix).length) : text(value)),
  trimSuffix: (suffix, value) => (text(value).endsWith(text(suffix)) ? text(value).slice(0, text(value).length - text(suffix).length) : text(value)),
  trimSpace: (value) => text(value).trim(),
  add: (a, b) => number(b) + number(a),
  subtract: (a, b) => number(b) - number(a),
  multiply: (a, b) => number(b) * number(a),
  divide: (a, b) => quotient(number(b), number(a)),
  modulo: (a, b) => number(b) % number(a),
  minimum: (a, b) => Math.min(number(a), number(b)),
  maximum: (a, b) => Math.max(number(a), number(b)),
  byKey: (pairs) => grouped(list(pairs).map((p) => [text(map(p)['Key']).split('/')[0]!, p])),
  byTag: (services) => grouped(list(services).flatMap((s) => list(map(s)['Tags']).map((tag): [string, Value] => [text(tag), s]))),
  explodeMap: (pairs) => {
    const root = newMap();
    for (const [path, value] of Object.entries(map(pairs))) {
      let at = root;
      const steps = path.split('/');
      for (const step of steps.slice(0, -1)) at = (at[step] ??= newMap()) as Record<string, Value>;
      at[steps.at(-1)!] = value;
    }
    return root;
  },
  mergeMap: (more, into) => newMap([...Object.entries(map(into)), ...Object.entries(map(more))]),
}; // prettier-ignore

const trimSet = (value: string, cut: string): string => {
  let [from, to] = [0, value.length];
  while (from < to && cut.includes(value[from]!)) from++;
  while (to > from && cut.includes(value[to - 1]!)) to--;
  return value.slice(from, to);
};
/** Whole numbers divide into whole numbers. */
const quotient = (a: number, b: number): number => {
  if (b === 0) throw new TemplateError('division by zero');
  return Number.isInteger(a) && Number.isInteger(b) ? Math.trunc(a / b) : a / b;
};
function grouped(pairs: readonly (readonly [string, Value])[]): Record<string, Value> {
  const groups = newMap();
  for (const [key, value] of pairs) ((groups[key] ??= []) as Value[]).push(value);
  return groups;
}

const sprig: Functions = {
  default: (fallback, value) => (isTrue(value) ? value : fallback),
  coalesce: (...values) => values.find(isTrue),
  ternary: (yes, no, condition) => (isTrue(condition) ? yes : no),
  empty: (value) => !isTrue(value),
  fail: (message) => { throw new TemplateError(text(message)); },
  list: (...values) => values,
  dict: (...values) => newMap(values.flatMap((key, i) => (i % 2 === 0 ? [[text(key), values[i + 1]] as const] : []))),
  get: (m, key) => (Object.hasOwn(map(m), text(key)) ? map(m)[text(key)] : ''),
  set: (m, key, value) => { Object.defineProperty(map(m), text(key), { value, enumerable: true, writable: true, configurable: true }); return m; },
  unset: (m, key) => { Reflect.deleteProperty(map(m), text(key)); return m; },
  hasKey: (m, key) => Object.hasOwn(map(m), text(key)),
  keys: (...maps) => maps.flatMap((m) => Object.keys(map(m)).sort()),
  values: (m) => Object.keys(map(m)).sort().map((key) => map(m)[key]),
  pick: (m, ...keys) => newMap(Object.entries(map(m)).filter(([key]) => keys.map(text).includes(key))),
  omit: (m, ...keys) => newMap(Object.entries(map(m)).filter(([key]) => !keys.map(text).includes(key))),
  merge: (...maps) => newMap(maps.toReversed().flatMap((m) => Object.entries(map(m)))),
  pluck: (key, ...maps) => maps.filter((m) => Object.hasOwn(map(m), text(key))).map((m) => map(m)[text(key)]),
  first: (all) => list(all)[0],
  last: (all) => list(all).at(-1),
  rest: (all) => list(all).slice(1),
  initial: (all) => list(all).slice(0, -1),
  append: (all, item) => [...list(all), item],
  prepend: (all, item) => [item, ...list(all)],
  concat: (...all) => all.flatMap(list),
  reverse: (all) => list(all).toReversed(),
  uniq: (all) => list(all).filter((one, i) => list(all).findIndex((other) => equal(one, other)) === i),
  without: (all, ...items) => list(all).filter((one) => !items.some((item) => equal(one, item))),
  has: (item, all) => list(all).some((one) => equal(one, item)),
  compact: (all) => list(all).filter(isTrue),
  sortAlpha: (all) => list(all).map(text).sort(),
  splitList: (separator, value) => text(value).split(text(separator)),
  upper: (value) => text(value).toUpperCase(),
  lower: (value) => text(value).toLowerCase(),
  title,
  untitle: (value) => text(value).replace(/^./u, (c) => c.toLowerCase()),
  trim: (value) => text(value).trim(),
  trimAll: (cut, value) => trimSet(text(value), text(cut)),
  trimPrefix: consul['trimPrefix']!,
  trimSuffix: consul['trimSuffix']!,
  nospace: (value) => text(value).replaceAll(/\s/g, ''),
  repeat: (times, value) => text(value).repeat(Math.min(Math.max(0, number(times)), 100_000)),
  substr: (from, to, value) => text(value).slice(Math.max(0, number(from)), number(to) < 0 ? undefined : number(to)),
  trunc: (length, value) => (number(length) < 0 ? text(value).slice(number(length)) : text(value).slice(0, number(length))),
  replace: (from, to, value) => text(value).replaceAll(text(from), () => text(to)),
  contains: (part, value) => text(value).includes(text(part)),
  hasPrefix: (prefix, value) => text(value).startsWith(text(prefix)),
  hasSuffix: (suffix, value) => text(value).endsWith(text(suffix)),
  quote: (...values) => values.map((value) => JSON.stringify(text(value))).join(' '),
  squote: (...values) => values.map((value) => `'${text(value)}'`).join(' '),
  cat: (...values) => values.map(text).join(' '),
  indent,
  nindent: (spaces, value) => `\n${indent(spaces, value)}`,
  plural: (one, many, count) => (number(count) === 1 ? one : many),
  join: (separator, all) => list(all).map(text).join(text(separator)),
  toString: text,
  toStrings: (all) => list(all).map(text),
  toJson: (value) => json(value),
  toPrettyJson: (value) => json(value, 2),
  fromJson: (value) => JSON.parse(text(value)) as Value,
  b64enc: consul['base64Encode']!,
  b64dec: consul['base64Decode']!,
  sha1sum: hash('sha1'),
  sha256sum: hash('sha256'),
  sha512sum: hash('sha512'),
  uuidv4: () => randomUUID(),
  regexMatch: consul['regexMatch']!,
  regexFind: (pattern, value) => regex(pattern).exec(text(value))?.[0] ?? '',
  regexFindAll: (pattern, value, most) => [...text(value).matchAll(regex(pattern, 'gu'))].map((m) => m[0]).slice(0, number(most) < 0 ? undefined : number(most)),
  regexReplaceAll: (pattern, value, by) => text(value).replace(regex(pattern, 'gu'), replacement(by)),
  regexSplit: (pattern, value, most) => { const parts = text(value).split(regex(pattern)); return number(most) < 0 ? parts : parts.slice(0, number(most)); },
  int: (value) => Math.trunc(Number(text(value)) || 0),
  int64: (value) => Math.trunc(Number(text(value)) || 0),
  float64: (value) => Number(text(value)) || 0,
  atoi: (value) => Math.trunc(Number(text(value)) || 0),
  add: (...values) => values.reduce<number>((sum, value) => sum + number(value), 0),
  add1: (value) => number(value) + 1,
  sub: (a, b) => number(a) - number(b),
  mul: (...values) => values.reduce<number>((product, value) => product * number(value), 1),
  div: (a, b) => quotient(number(a), number(b)),
  mod: (a, b) => number(a) % number(b),
  min: (...values) => Math.min(...values.map(number)),
  max: (...values) => Math.max(...values.map(number)),
  floor: (value) => Math.floor(number(value)),
  ceil: (value) => Math.ceil(number(value)),
  round: (value, digits) => Number(number(value).toFixed(number(digits))),
  until: (count) => Array.from({ length: Math.min(Math.max(0, number(count)), 1_000_000) }, (_, i) => i),
  kindOf,
  kindIs: (kind, value) => kindOf(value) === kind,
  typeOf: kindOf,
  now: () => new Date().toISOString(),
  date: (layout, value) => formatGoTime(new Date(text(value)), text(layout)),
  env: () => { throw new TemplateError('the environment of the agent is not readable; use env'); },
  expandenv: () => { throw new TemplateError('the environment of the agent is not readable; use env'); },
}; // prettier-ignore

/** Those of sprig go by `sprig_<name>`, and by their own where nothing else has it. */
export const pureFunctions: Functions = {
  ...Object.fromEntries(Object.entries(sprig).filter(([name]) => !['env', 'expandenv'].includes(name))),
  ...consul,
  ...go,
  ...Object.fromEntries(Object.entries(sprig).map(([name, fn]) => [`sprig_${name}`, fn])),
};
