import { CommandError } from '../errors.ts';

/**
 * The templates of `-o jsonpath=…`: text with paths in braces. Understood are `.name`, `['name']`, `[2]`, `[-1]`, `[*]`, `..name`,
 * `[?(@.a.b=="c")]`, quoted texts, and `{range …}…{end}`.
 *
 * @example jsonpath('{.metadata.name}{"\n"}', { metadata: { name: 'a' } }) === 'a\n'
 */
export function jsonpath(template: string, root: unknown): string {
  const pieces = split(template);
  const [text, rest] = render(pieces, 0, root, root);
  if (rest < pieces.length) throw new CommandError('jsonpath: {end} without {range}');
  return text;
}

type Piece = { readonly text: string } | { readonly expression: string };

function split(template: string): Piece[] {
  const source = template.includes('{') ? template : `{${template.startsWith('.') ? '' : '.'}${template}}`;
  const pieces: Piece[] = [];
  let at = 0;
  while (at < source.length) {
    const open = source.indexOf('{', at);
    if (open < 0) {
      pieces.push({ text: source.slice(at) });
      break;
    }
    if (open > at) pieces.push({ text: source.slice(at, open) });
    const close = closing(source, open + 1);
    pieces.push({ expression: source.slice(open + 1, close).trim() });
    at = close + 1;
  }
  return pieces;
}

/** The brace that ends an expression; those in quotes do not. */
function closing(source: string, from: number): number {
  let quote: string | undefined;
  for (let at = from; at < source.length; at++) {
    const letter = source[at]!;
    if (quote !== undefined) {
      if (letter === '\\') at++;
      else if (letter === quote) quote = undefined;
    } else if (letter === '"' || letter === "'") quote = letter;
    else if (letter === '}') return at;
  }
  throw new CommandError(`jsonpath: a brace is not closed in "${source}"`);
}

function render(pieces: readonly Piece[], from: number, root: unknown, here: unknown): [string, number] {
  let out = '';
  let at = from;
  while (at < pieces.length) {
    const piece = pieces[at++]!;
    if ('text' in piece) {
      out += piece.text;
      continue;
    }
    const { expression } = piece;
    if (expression === 'end') return [out, at - 1];
    if (expression.startsWith('range ')) {
      const items = select(expression.slice(6).trim(), root, here);
      let end = at;
      if (items.length === 0) end = skip(pieces, at);
      for (const item of items) {
        const [text, stop] = render(pieces, at, root, item);
        out += text;
        end = stop;
      }
      if (end >= pieces.length) throw new CommandError('jsonpath: {range} without {end}');
      at = end + 1;
      continue;
    }
    const quoted = /^(["'])(.*)\1$/s.exec(expression);
    out += quoted === null ? select(expression, root, here).map(show).join(' ') : unescape(quoted[2]!);
  }
  return [out, at];
}

/** The piece with the {end} of a range that begins before `from`. */
function skip(pieces: readonly Piece[], from: number): number {
  let depth = 0;
  for (let at = from; at < pieces.length; at++) {
    const piece = pieces[at]!;
    if (!('expression' in piece)) continue;
    if (piece.expression.startsWith('range ')) depth++;
    else if (piece.expression === 'end' && depth-- === 0) return at;
  }
  return pieces.length;
}

const unescape = (text: string): string =>
  text.replace(/\\(.)/g, (_, letter: string) => ({ n: '\n', t: '\t', r: '\r' })[letter] ?? letter);

const show = (value: unknown): string => (typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value));

const step =
  /^(?:\.\.(?<deep>[\w-]+)|\.(?<name>(?:[\w-]|\\\.)+)|\.?\[(?<index>-?\d+)\]|\.?\[(?<all>\*)\]|\.(?<star>\*)|\.?\[(['"])(?<quoted>.*?)\6\]|\.?\[\?\(@(?<path>(?:\.[\w-]+)+)\s*(?:(?<op>==|!=)\s*(?<value>"[^"]*"|'[^']*'|[\w.-]+))?\s*\)\])/;

function select(expression: string, root: unknown, here: unknown): unknown[] {
  let rest = expression;
  let found: unknown[] = [here];
  if (rest.startsWith('$')) {
    found = [root];
    rest = rest.slice(1);
  } else if (rest.startsWith('@')) rest = rest.slice(1);
  if (rest === '.') return found;
  while (rest !== '') {
    const match = step.exec(rest);
    if (match === null) throw new CommandError(`jsonpath: "${rest}" is not understood in "{${expression}}"`);
    rest = rest.slice(match[0].length);
    found = found.flatMap((value) => follow(value, match.groups!));
  }
  return found;
}

function follow(value: unknown, part: Readonly<Record<string, string | undefined>>): unknown[] {
  if (part.deep !== undefined) return everyNamed(value, part.deep);
  const name = part.name?.replaceAll('\\.', '.') ?? part.quoted;
  if (name !== undefined) {
    const inside = isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined;
    return inside === undefined ? [] : [inside];
  }
  if (part.index !== undefined) {
    const item = Array.isArray(value) ? (value as unknown[]).at(Number(part.index)) : undefined;
    return item === undefined ? [] : [item];
  }
  const items = Array.isArray(value) ? (value as unknown[]) : isRecord(value) ? Object.values(value) : [];
  if (part.path === undefined) return items;
  return items.filter((item) => {
    const [actual] = select(part.path!, item, item);
    if (part.op === undefined) return actual !== undefined;
    const wanted = part.value!.replace(/^(["'])(.*)\1$/, '$2');
    return (actual !== undefined && String(actual) === wanted) === (part.op === '==');
  });
}

function everyNamed(value: unknown, name: string): unknown[] {
  const children = Array.isArray(value) ? (value as unknown[]) : isRecord(value) ? Object.values(value) : [];
  const own = isRecord(value) && Object.hasOwn(value, name) ? [value[name]] : [];
  return [...own, ...children.flatMap((child) => everyNamed(child, name))];
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
