import { nearest, type StatusCause } from '../../../base/index.ts';

/** Collects what is wrong with an object, at a place in it. `findings.at('groups', 0).required('name', …)` is about `….groups[0].name`. */
export interface Findings {
  readonly path: string;
  at(...steps: (string | number)[]): Findings;
  /** The field is missing or empty. */
  required(field: string, message: string): void;
  invalid(field: string, message: string): void;
  duplicate(field: string, message: string): void;
  /** The field is right, but nothing acts on it: no fault of the job. */
  unsupported(field: string, message: string): void;
  /** The field has a value that is none of those it can have. */
  oneOf(field: string, value: string | undefined, allowed: readonly string[], what?: string): void;
}

export function collectFindings(path: string, causes: StatusCause[]): Findings {
  const add = (reason: string, field: string, message: string): void => {
    causes.push({ reason, message, field: field === '' ? path : join(path, field) });
  };
  return {
    path,
    at: (...steps) => collectFindings(steps.reduce<string>(join, path), causes),
    required: (field, message) => add('FieldValueRequired', field, message),
    invalid: (field, message) => add('FieldValueInvalid', field, message),
    duplicate: (field, message) => add('FieldValueDuplicate', field, message),
    unsupported: (field, message) => add('FeatureNotBuilt', field, message),
    oneOf(field, value, allowed, what = field) {
      if (value !== undefined && allowed.includes(value)) return;
      if (value === undefined || value === '') add('FieldValueRequired', field, `Missing ${what}: expected ${choices(allowed)}`);
      else
        add(
          'FieldValueNotSupported',
          field,
          `Invalid ${what}: "${value}"; expected ${choices(allowed)}${didYouMean(value, allowed)}`,
        );
    },
  };
}

const join = (path: string, step: string | number): string => (typeof step === 'number' ? `${path}[${step}]` : `${path}.${step}`);

/** `a`, `a or b`, `a, b or c`, each in quotes. */
export function choices(values: readonly string[]): string {
  const quoted = values.map((value) => `"${value}"`);
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}

/** ` (did you mean "service"?)` when one of the choices is near, or nothing. */
export function didYouMean(value: string, allowed: readonly string[]): string {
  const lower = allowed.map((choice) => choice.toLowerCase());
  const near = nearest(value.toLowerCase(), lower, Math.max(1, Math.floor(value.length / 3)));
  return near === undefined ? '' : ` (did you mean "${allowed[lower.indexOf(near)]}"?)`;
}
