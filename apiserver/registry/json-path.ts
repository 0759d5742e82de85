import { isObject } from './object.ts';

type Step =
  | { readonly type: 'field'; readonly name: string }
  | { readonly type: 'index'; readonly index: number }
  | { readonly type: 'every' }
  | { readonly type: 'where'; readonly path: readonly string[]; readonly value: string };

/** A compiled path: all values it leads to. */
export type JsonPath = (value: unknown) => unknown[];

/**
 * The part of JSONPath that printer columns and selectable fields use: `.a.b`, `['a.b']`, `[0]`, `[*]` and
 * `[?(@.type=="Ready")]`. Throws for anything else, so that a kind with a path nobody can follow is refused when it is declared.
 *
 * @example compileJsonPath('.status.conditions[?(@.type=="Ready")].status')
 */
export function compileJsonPath(text: string): JsonPath {
  const steps = parse(text);
  return (value) => steps.reduce<unknown[]>((found, step) => found.flatMap((item) => follow(item, step)), [value]);
}

/** The property names of a path that consists of nothing else; undefined for other paths. */
export function fieldsOf(text: string): string[] | undefined {
  const steps = parse(text);
  return steps.every((step) => step.type === 'field') ? steps.map((step) => step.name) : undefined;
}

function parse(text: string): Step[] {
  const steps: Step[] = [];
  let rest = text.startsWith('$') ? text.slice(1) : text;
  if (rest !== '' && !rest.startsWith('.') && !rest.startsWith('[')) rest = `.${rest}`;
  while (rest !== '') {
    const match =
      /^\.([\w$-]+)/.exec(rest) ??
      /^\[(\d+|\*)\]/.exec(rest) ??
      /^\[(['"])(.+?)\1\]/.exec(rest) ??
      /^\[\?\(@((?:\.[\w$-]+)+)\s*==\s*(['"])(.*?)\2\)\]/.exec(rest);
    if (match === null) throw new Error(`unsupported JSONPath ${JSON.stringify(text)} at ${JSON.stringify(rest)}`);
    const [whole, first] = match;
    if (whole.startsWith('.')) steps.push({ type: 'field', name: first! });
    else if (whole === '[*]') steps.push({ type: 'every' });
    else if (whole.startsWith('[?')) steps.push({ type: 'where', path: first!.slice(1).split('.'), value: match[3]! });
    else if (match.length === 3) steps.push({ type: 'field', name: match[2]! });
    else steps.push({ type: 'index', index: Number(first) });
    rest = rest.slice(whole.length);
  }
  return steps;
}

function follow(value: unknown, step: Step): unknown[] {
  switch (step.type) {
    case 'field':
      return isObject(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : [];
    case 'index':
      return Array.isArray(value) && step.index < value.length ? [value[step.index] as unknown] : [];
    case 'every':
      return Array.isArray(value) ? (value as unknown[]) : isObject(value) ? Object.values(value) : [];
    case 'where':
      return Array.isArray(value)
        ? value.filter((item) => {
            const at = step.path.reduce<unknown>((v, name) => (isObject(v) ? v[name] : undefined), item);
            return at !== undefined && String(at) === step.value;
          })
        : [];
  }
}
