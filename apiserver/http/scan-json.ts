/** A place in a text, as people count. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Scan {
  /** The paths of keys that stand twice in one object. */
  readonly duplicates: readonly string[];
  /** What is wrong first; absent when the text is JSON. */
  readonly error?: { readonly offset: number; readonly message: string };
}

/**
 * Looks through a JSON text for what JSON.parse does not tell: where it breaks, and which keys it repeats. Without recursion, so that
 * no nesting is too deep for it.
 */
export function scanJson(text: string): Scan {
  const duplicates: string[] = [];
  const stack: { keys: Set<string> | undefined; at: string; index: number }[] = [];
  let pos = 0;
  const fail = (message: string, offset = pos): Scan => ({ duplicates, error: { offset, message } });
  const space = (): void => {
    while (pos < text.length && ' \t\r\n'.includes(text[pos]!)) pos++;
  };
  const found = (): string => (pos >= text.length ? 'the end' : JSON.stringify(text[pos]));
  const string = (): string | undefined => {
    STRING.lastIndex = pos;
    const match = STRING.exec(text);
    if (match === null) return undefined;
    pos = STRING.lastIndex;
    return match[0];
  };
  // So far down nobody looks for it anyway.
  const path = (): string => (stack.length > MAX_SHOWN ? `${pathOf(stack.slice(0, MAX_SHOWN))}...` : pathOf(stack));
  const pathOf = (frames: typeof stack): string => frames.map(({ keys, at, index }) => (keys === undefined ? `[${index}]` : `.${at}`)).join('').replace(/^\./, ''); // prettier-ignore
  let expect: 'value' | 'firstKey' | 'key' | 'afterValue' | 'firstItem' = 'value';
  for (;;) {
    space();
    if (expect === 'firstKey' || expect === 'key') {
      if (expect === 'firstKey' && text[pos] === '}') {
        pos++;
        stack.pop();
        expect = 'afterValue';
        continue;
      }
      if (text[pos] !== '"') return fail(`expected a key in double quotes, found ${found()}`);
      const raw = string();
      if (raw === undefined) return fail('the text in double quotes does not end, or has a bad escape');
      const key = raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
      const top = stack.at(-1)!;
      top.at = key;
      if (top.keys!.has(key) && duplicates.length < MAX_DUPLICATES) duplicates.push(path());
      top.keys!.add(key);
      space();
      if (text[pos] !== ':') return fail(`expected ":", found ${found()}`);
      pos++;
      expect = 'value';
      continue;
    }
    if (expect === 'afterValue') {
      const top = stack.at(-1);
      if (top === undefined) return pos === text.length ? { duplicates } : fail(`unexpected ${found()} after the value`);
      if (text[pos] === ',') {
        pos++;
        top.index++;
        expect = top.keys === undefined ? 'value' : 'key';
      } else if (text[pos] === (top.keys === undefined ? ']' : '}')) {
        pos++;
        stack.pop();
      } else return fail(`expected "," or "${top.keys === undefined ? ']' : '}'}", found ${found()}`);
      continue;
    }
    if (expect === 'firstItem' && text[pos] === ']') {
      pos++;
      stack.pop();
      expect = 'afterValue';
      continue;
    }
    const char = text[pos];
    if (char === '{') {
      stack.push({ keys: new Set(), at: '', index: 0 });
      pos++;
      expect = 'firstKey';
    } else if (char === '[') {
      stack.push({ keys: undefined, at: '', index: 0 });
      pos++;
      expect = 'firstItem';
    } else if (char === '"') {
      if (string() === undefined) return fail('the text in double quotes does not end, or has a bad escape');
      expect = 'afterValue';
    } else {
      SCALAR.lastIndex = pos;
      if (!SCALAR.test(text)) return fail(`expected a value, found ${found()}`);
      pos = SCALAR.lastIndex;
      expect = 'afterValue';
    }
  }
}
/** More are not listed, and deeper ones not named in full. */
const MAX_DUPLICATES = 100;
const MAX_SHOWN = 64;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])/y;

/**
 * Whether a JSON text repeats a key somewhere: then it has more keys than its value. Much cheaper than to look where, and nearly always
 * all there is to know.
 */
export function repeatsKeys(text: string, value: unknown): boolean {
  let keys = 0;
  for (let pos = 0; pos < text.length; pos++) {
    const unit = text.charCodeAt(pos);
    if (unit === COLON) keys++;
    if (unit !== QUOTE) continue;
    do pos = text.indexOf('"', pos + 1);
    while (isEscaped(text, pos));
  }
  const stack: unknown[] = [value];
  while (stack.length > 0) {
    const item = stack.pop();
    if (typeof item !== 'object' || item === null) continue;
    if (Array.isArray(item)) for (const part of item as unknown[]) stack.push(part);
    else
      for (const part of Object.values(item)) {
        keys--;
        stack.push(part);
      }
  }
  return keys !== 0;
}
const COLON = 58;
const QUOTE = 34;

/** Whether an odd number of backslashes stands before it. */
function isEscaped(text: string, at: number): boolean {
  let from = at;
  while (text[from - 1] === '\\') from--;
  return (at - from) % 2 === 1;
}

export function placeOf(text: string, offset: number): Place {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}
