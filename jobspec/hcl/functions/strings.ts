import { runInNewContext } from 'node:vm';
import { compareStrings, bool, list, number, object, string, tuple, STRING, type Value } from '../value.ts';
import { ArgumentError, type HclFunction } from '../evaluate.ts';
import { graphemes } from '../source.ts';
import { define, integer, items, p, text } from './define.ts';
import { format, formatList } from './format.ts';
import { regexpProblem } from './regexp.ts';

export const strings: Record<string, HclFunction> = {
  upper: define([p.string('str')], ([s]) => string(Array.from(text(s), upper).join(''))),
  lower: define([p.string('str')], ([s]) => string(Array.from(text(s), lower).join(''))),
  title: define([p.string('str')], ([s]) => string(title(text(s)))),
  trim: define([p.string('str'), p.string('cutset')], ([s, cut]) => string(trim(text(s), text(cut)))),
  trimspace: define([p.string('str')], ([s]) => string(text(s).trim())),
  trimprefix: define([p.string('str'), p.string('prefix')], ([s, prefix]) =>
    string(text(s).startsWith(text(prefix)) ? text(s).slice(text(prefix).length) : text(s)),
  ),
  trimsuffix: define([p.string('str'), p.string('suffix')], ([s, suffix]) =>
    string(text(suffix) !== '' && text(s).endsWith(text(suffix)) ? text(s).slice(0, -text(suffix).length) : text(s)),
  ),
  chomp: define([p.string('str')], ([s]) => string(text(s).replace(/(\r\n|\r|\n)+$/, ''))),
  indent: define([p.number('spaces'), p.string('str')], ([n, s]) =>
    string(text(s).replaceAll('\n', `\n${' '.repeat(integer(n))}`)),
  ),
  join: define(
    [p.string('separator')],
    ([separator, ...lists]) => {
      if (lists.length === 0) throw new Error('at least one list is required');
      return string(lists.flatMap((l, i) => joinable(l, i, lists.length)).join(text(separator)));
    },
    p.list('lists', STRING),
  ),
  split: define([p.string('separator'), p.string('str')], ([separator, s]) =>
    list(STRING, split(text(s), text(separator)).map(string)),
  ),
  replace: define([p.string('str'), p.string('substr'), p.string('replace')], ([s, from, to]) => {
    return string(text(s).replaceAll(text(from), () => text(to)));
  }),
  regex_replace: define([p.string('str'), p.string('substr'), p.string('replace')], ([s, pattern, to]) =>
    string(replaceRegex(text(s), text(pattern), text(to))),
  ),
  regex: define([p.string('pattern'), p.string('string')], ([pattern, s]) => {
    const match = compile(text(pattern), 'u', text(s)).exec(text(s));
    if (match === null) throw new Error('pattern did not match any part of the given string');
    return captured(match);
  }),
  regexall: define([p.string('pattern'), p.string('string')], ([pattern, s]) =>
    tuple([...text(s).matchAll(compile(text(pattern), 'gu', text(s)))].map(captured)),
  ),
  strlen: define([p.string('str')], ([s]) => number(graphemes(text(s)).length)),
  strrev: define([p.string('str')], ([s]) => string(graphemes(text(s)).reverse().join(''))),
  reverse: define([p.any('list')], ([l]) => {
    if (l!.kind === 'string') return string(graphemes(l!.string).reverse().join(''));
    const reversed = [...items(l)].reverse();
    return l!.kind === 'list' || l!.kind === 'set' ? list(l!.element, reversed) : tuple(reversed);
  }),
  substr: define([p.string('str'), p.number('offset'), p.number('length')], ([s, offset, length]) => {
    const characters = graphemes(text(s));
    let from = integer(offset);
    const count = integer(length);
    const fromEnd = from < 0;
    if (fromEnd) from = Math.max(0, characters.length + from);
    // From the end a length of none is taken for "all the rest", too, as the reference does.
    if (count < 0 || (count === 0 && fromEnd)) return string(characters.slice(from).join(''));
    return string(characters.slice(from, from + count).join(''));
  }),
  startswith: define([p.string('str'), p.string('prefix')], ([s, prefix]) => bool(text(s).startsWith(text(prefix)))),
  endswith: define([p.string('str'), p.string('suffix')], ([s, suffix]) => bool(text(s).endsWith(text(suffix)))),
  strcontains: define([p.string('str'), p.string('substr')], ([s, part]) => bool(text(s).includes(text(part)))),
  format: define([p.string('format')], ([f, ...args]) => string(format(text(f), args)), p.nullable('args')),
  formatlist: define([p.string('format')], ([f, ...args]) => formatList(text(f), args), p.nullable('args')),
  sort: define([p.list('list', STRING)], ([l]) => {
    const missing = items(l).findIndex((item) => item.kind === 'null');
    if (missing !== -1) throw new Error(`given list element ${missing} is null; a null string cannot be sorted`);
    return list(
      STRING,
      [...items(l)].sort((a, b) => compareStrings(text(a), text(b))),
    );
  }),
};

function joinable(l: Value, index: number, lists: number): string[] {
  return items(l).map((item, i) => {
    if (item.kind !== 'null') return text(item);
    const which = lists > 1 ? `element ${i} of list ${index + 1}` : `element ${i}`;
    throw new ArgumentError(index + 1, `${which} is null; cannot concatenate null values`);
  });
}

// Letters whose other case has several letters stay as they are.
const upper = (c: string): string => single(c, c.toUpperCase());
const lower = (c: string): string => single(c, c.toLowerCase());
const single = (c: string, other: string): string => ([...other].length === 1 ? other : c);

function title(s: string): string {
  let separated = true;
  return Array.from(s, (c) => {
    const out = separated ? upper(c) : c;
    separated = c < '\u0080' ? !/[A-Za-z0-9_]/.test(c) : !/[\p{L}\p{Nd}]/u.test(c) && /\s/.test(c);
    return out;
  }).join('');
}

function trim(s: string, cutset: string): string {
  const cut = new Set(cutset);
  const characters = [...s];
  let from = 0;
  let to = characters.length;
  while (from < to && cut.has(characters[from]!)) from++;
  while (to > from && cut.has(characters[to - 1]!)) to--;
  return characters.slice(from, to).join('');
}

/** As Go splits: an empty separator gives the characters. */
function split(s: string, separator: string): string[] {
  return separator === '' ? [...s] : s.split(separator);
}

/** Turns an RE2 pattern into ours: named groups and leading flags are written differently. */
export function compile(pattern: string, flags: string, subject: string): RegExp {
  const compiled = translate(pattern, flags);
  // Repeated groups may take time without end here, where RE2 never does.
  if (/\)[*+{]/.test(pattern)) mustEnd(compiled, subject);
  return compiled;
}

const MATCH_MS = 500;

function mustEnd({ source, flags }: RegExp, subject: string): void {
  const script = 'for (const _ of subject.matchAll(new RegExp(source, flags)));';
  const all = flags.includes('g') ? flags : `${flags}g`;
  try {
    runInNewContext(script, { source, flags: all, subject }, { timeout: MATCH_MS });
  } catch (err) {
    throw new Error('the regular expression takes too long on this text', { cause: err });
  }
}

function translate(pattern: string, flags: string): RegExp {
  const problem = regexpProblem(pattern);
  if (problem !== undefined) throw new Error(`error parsing regexp: ${problem}`);
  let source = pattern.replaceAll('(?P<', '(?<');
  let all = flags;
  const inline = /^\(\?([imsU]+)\)/.exec(source);
  if (inline !== null) {
    source = source.slice(inline[0].length);
    for (const flag of inline[1]!) if ('ims'.includes(flag)) all += flag;
  }
  source = source
    .replaceAll('\\A', '^')
    .replaceAll('\\z', '$')
    .replace(/\[\[:(\w+):\]\]/g, (whole, name: string) => CLASSES[name] ?? whole);
  try {
    return new RegExp(source, all);
  } catch {
    try {
      // Without the strict mode more escapes are allowed, as RE2 allows them.
      return new RegExp(source, all.replace('u', ''));
    } catch (err) {
      throw new Error(`error parsing regexp: ${err instanceof Error ? err.message : String(err)}`, { cause: err });
    }
  }
}

const CLASSES: Record<string, string> = {
  alpha: '[A-Za-z]', digit: '[0-9]', alnum: '[0-9A-Za-z]', upper: '[A-Z]', lower: '[a-z]', space: '\\s', word: '\\w', punct: '[!-/:-@\\[-`{-~]', xdigit: '[0-9A-Fa-f]',
}; // prettier-ignore

function captured(match: RegExpExecArray | RegExpMatchArray): Value {
  const capture = (s: string | undefined): Value => (s === undefined ? { kind: 'null', type: STRING } : string(s));
  if (match.groups !== undefined) return object(Object.entries(match.groups).map(([k, v]) => [k, capture(v)] as const));
  if (match.length > 1) return tuple(match.slice(1).map(capture));
  return string(match[0]);
}

/** `$1`, `${1}` and `${name}` in the replacement are the groups. */
function replaceRegex(s: string, pattern: string, to: string): string {
  return s.replace(compile(pattern, 'gu', s), (...found: unknown[]) => {
    const groups = typeof found.at(-1) === 'object' ? (found.at(-1) as Record<string, string>) : {};
    return to.replace(/\$\$|\$(?:\{(\w+)\}|(\w+))/g, (whole, braced?: string, bare?: string) => {
      if (whole === '$$') return '$';
      const name = braced ?? bare ?? '';
      const group = /^\d+$/.test(name) ? found[Number(name)] : groups[name];
      return typeof group === 'string' ? group : '';
    });
  });
}
