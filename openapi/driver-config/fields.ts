import { nearest } from '../../base/index.ts';

/**
 * What a driver's `config` block may say, as data: one table per driver gives validation (every problem, unknown keys with the
 * nearest known one) and typed reading. Values come from job files, so "10", "true" and [{…}] are read as what they mean.
 */
export type Fields = Readonly<Record<string, Field>>;

export type Field =
  | {
      readonly type: 'text' | 'number' | 'flag' | 'texts' | 'textMap';
      readonly required?: true;
      readonly oneOf?: readonly string[];
      /** Nobody is shown its value who does not ask for it. */
      readonly sensitive?: true;
    }
  /** A block: an object, or a list of one as HCL gives it. */
  | { readonly type: 'block' | 'blocks'; readonly fields: Fields }
  /** Known elsewhere, not built here: refused with the reason. */
  | { readonly type: 'refused'; readonly because: string };

export type DriverConfig = Readonly<Record<string, unknown>>;

/** What is wrong with one field of a config: `mount[1].target`, `is required`. */
export interface ConfigProblem {
  readonly path: string;
  readonly message: string;
}

/** Every problem of a config, each a sentence that names the field. */
export const checkConfig = (fields: Fields, config: DriverConfig): string[] =>
  configProblems(fields, config).map(({ path, message }) => `${path}: ${message}`);

export function configProblems(fields: Fields, config: DriverConfig, at = ''): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const [key, value] of Object.entries(config)) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    const path = `${at}${key}`;
    if (field === undefined) {
      const near = nearest(key.toLowerCase(), Object.keys(fields), Math.max(2, Math.floor(key.length / 3)));
      problems.push({ path, message: `unknown option${near === undefined ? '' : `, did you mean "${near}"?`}` });
    } else if (value !== undefined && value !== null) {
      problems.push(...checkField(field, value, path));
    }
  }
  for (const [key, field] of Object.entries(fields)) {
    if ('required' in field && field.required && isBlank(config[key]))
      problems.push({ path: `${at}${key}`, message: 'is required' });
  }
  return problems;
}

function checkField(field: Field, value: unknown, path: string): ConfigProblem[] {
  const wrong = (message: string): ConfigProblem[] => [{ path, message }];
  switch (field.type) {
    case 'refused':
      return wrong(field.because);
    case 'text': {
      if (toText(value) === undefined) return wrong('must be a string');
      const { oneOf } = field;
      return oneOf === undefined || oneOf.includes(toText(value)!) || isDeferred(value)
        ? []
        : wrong(`must be one of ${oneOf.join(', ')}`);
    }
    case 'number':
      return toNumber(value) === undefined && !isDeferred(value) ? wrong('must be a number') : [];
    case 'flag':
      return toFlag(value) === undefined && !isDeferred(value) ? wrong('must be true or false') : [];
    case 'texts':
      return toTexts(value) === undefined ? wrong('must be a list of strings') : [];
    case 'textMap':
      return toTextMap(value) === undefined ? wrong('must be a map of strings') : [];
    case 'block':
    case 'blocks': {
      const blocks = toBlocks(value);
      if (blocks === undefined) return wrong('must be a block');
      if (field.type === 'block' && blocks.length > 1) return wrong('may be given only once');
      return blocks.flatMap((block, i) => configProblems(field.fields, block, blocks.length > 1 ? `${path}[${i}].` : `${path}.`));
    }
  }
}

/** Text that still holds an interpolation: what it will be is not known yet. */
const isDeferred = (value: unknown): boolean => typeof value === 'string' && value.includes('${');

const isBlank = (value: unknown): boolean => value === undefined || value === null || value === '';

/** Readers; undefined when absent or of another type (which checkConfig has told). */
export const toText = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;

export function toNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value.trim())) return Number(value);
  return undefined;
}

export function toFlag(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value;
  return value === 'true' || value === '1' ? true : value === 'false' || value === '0' ? false : undefined;
}

export function toTexts(value: unknown): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const texts = value.map(toText);
  return texts.every((text) => text !== undefined) ? texts : undefined;
}

/** `{a: b}`, or `[{a: b}, {c: d}]` as HCL 1 wrote blocks. */
export function toTextMap(value: unknown): Record<string, string> | undefined {
  const parts = toBlocks(value);
  if (parts === undefined) return undefined;
  const merged: Record<string, string> = {};
  for (const [key, item] of parts.flatMap((part) => Object.entries(part))) {
    const text = toText(item);
    if (text === undefined) return undefined;
    merged[key] = text;
  }
  return merged;
}

export function toBlocks(value: unknown): DriverConfig[] | undefined {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.every((item) => typeof item === 'object' && item !== null && !Array.isArray(item))
    ? (list as DriverConfig[])
    : undefined;
}
