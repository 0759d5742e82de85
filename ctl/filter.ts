import { CommandError } from './errors.ts';

/**
 * The filter expressions that Nomad's API takes, over objects in the form of that API:
 *
 *     Status == "blocked" and not (JobID matches "^test-" or "x" in Tags)
 *
 * A selector is a path of fields (`Meta.rack`, `Meta["a.b"]`); what it does not find is empty.
 *
 * @example parseFilter('Status != "complete"')({ Status: 'blocked' }) // true
 */
export type Filter = (object: unknown) => boolean;

export function parseFilter(text: string): Filter {
  const parser = new Parser(text);
  const filter = parser.either();
  parser.end();
  return filter;
}

type Token = { readonly type: 'word' | 'text' | 'sign'; readonly text: string; readonly at: number };

const pattern = /\s*(?:("(?:[^"\\]|\\.)*"|`[^`]*`)|(==|!=|[()[\].])|([A-Za-z0-9_/-]+(?:\.[A-Za-z0-9_/-]+)*))/y;

class Parser {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #at = 0;

  constructor(source: string) {
    this.#source = source;
    pattern.lastIndex = 0;
    while (pattern.lastIndex < source.trimEnd().length) {
      const at = pattern.lastIndex;
      const match = pattern.exec(source);
      if (match === null) throw this.#wrong(at, 'is not understood');
      const [, text, sign, word] = match;
      if (text !== undefined) this.#tokens.push({ type: 'text', text: unquoted(text), at });
      else this.#tokens.push(sign !== undefined ? { type: 'sign', text: sign, at } : { type: 'word', text: word!, at });
    }
  }

  end(): void {
    const left = this.#tokens[this.#at];
    if (left !== undefined) throw this.#wrong(left.at, 'was not expected');
  }

  either(): Filter {
    const parts = [this.#all()];
    while (this.#word('or')) parts.push(this.#all());
    return parts.length === 1 ? parts[0]! : (object) => parts.some((part) => part(object));
  }

  #all(): Filter {
    const parts = [this.#one()];
    while (this.#word('and')) parts.push(this.#one());
    return parts.length === 1 ? parts[0]! : (object) => parts.every((part) => part(object));
  }

  #one(): Filter {
    if (this.#word('not')) {
      const inner = this.#one();
      return (object) => !inner(object);
    }
    if (this.#sign('(')) {
      const inner = this.either();
      if (!this.#sign(')')) throw this.#wrong(this.#position, 'should be ")"');
      return inner;
    }
    return this.#comparison();
  }

  #comparison(): Filter {
    const first = this.#tokens[this.#at];
    // `"value" in Selector`, or the word of a value.
    if (first?.type === 'text' || this.#isWord(1, 'in') || (this.#isWord(1, 'not') && this.#isWord(2, 'in'))) {
      const value = this.#value();
      const no = this.#word('not');
      if (!this.#word('in')) throw this.#wrong(this.#position, 'should be "in"');
      const path = this.#selector();
      return (object) => holds(find(object, path), value) !== no;
    }
    const path = this.#selector();
    if (this.#sign('==')) return this.#equal(path, true);
    if (this.#sign('!=')) return this.#equal(path, false);
    if (this.#word('is')) {
      const no = this.#word('not');
      if (!this.#word('empty')) throw this.#wrong(this.#position, 'should be "empty"');
      return (object) => isEmpty(find(object, path)) !== no;
    }
    const no = this.#word('not');
    if (this.#word('contains')) {
      const value = this.#value();
      return (object) => holds(find(object, path), value) !== no;
    }
    if (this.#word('matches')) {
      const at = this.#position;
      const source = this.#value();
      let regexp: RegExp;
      try {
        regexp = new RegExp(source, 'u');
      } catch {
        throw this.#wrong(at, 'is no regular expression');
      }
      return (object) => regexp.test(textOf(find(object, path))) !== no;
    }
    throw this.#wrong(this.#position, 'should be ==, !=, in, contains, matches or "is empty"');
  }

  #equal(path: readonly string[], wanted: boolean): Filter {
    const value = this.#value();
    return (object) => (textOf(find(object, path)) === value) === wanted;
  }

  #selector(): string[] {
    const token = this.#tokens[this.#at];
    if (token?.type !== 'word') throw this.#wrong(this.#position, 'should be the name of a field');
    this.#at++;
    const path = token.text.split('.');
    for (;;) {
      if (this.#sign('[')) {
        path.push(this.#value());
        if (!this.#sign(']')) throw this.#wrong(this.#position, 'should be "]"');
      } else if (this.#sign('.')) {
        const next = this.#tokens[this.#at++];
        if (next?.type !== 'word') throw this.#wrong(this.#position, 'should be the name of a field');
        path.push(...next.text.split('.'));
      } else return path;
    }
  }

  #value(): string {
    const token = this.#tokens[this.#at];
    if (token === undefined || token.type === 'sign') throw this.#wrong(this.#position, 'should be a value');
    this.#at++;
    return token.text;
  }

  #isWord(ahead: number, text: string): boolean {
    const token = this.#tokens[this.#at + ahead];
    return token?.type === 'word' && token.text === text;
  }

  #word(text: string): boolean {
    if (!this.#isWord(0, text)) return false;
    this.#at++;
    return true;
  }

  #sign(text: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.type !== 'sign' || token.text !== text) return false;
    this.#at++;
    return true;
  }

  get #position(): number {
    return this.#tokens[this.#at]?.at ?? this.#source.length;
  }

  #wrong(at: number, what: string): CommandError {
    const rest = this.#source.slice(at).trim();
    return new CommandError(`-filter: ${rest === '' ? 'the end' : JSON.stringify(rest.slice(0, 40))} ${what}\n  ${this.#source}\n  ${' '.repeat(at)}^`); // prettier-ignore
  }
}

const unquoted = (text: string): string => (text.startsWith('`') ? text.slice(1, -1) : text.slice(1, -1).replace(/\\(.)/g, '$1'));

function find(object: unknown, path: readonly string[]): unknown {
  let value = object;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

const textOf = (value: unknown): string =>
  value === undefined || value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);

/** An element of a list, a key of a map, a part of a text. */
function holds(value: unknown, wanted: string): boolean {
  if (Array.isArray(value)) return value.some((item) => textOf(item) === wanted);
  if (typeof value === 'object' && value !== null) return Object.hasOwn(value, wanted);
  return textOf(value).includes(wanted);
}

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0);
