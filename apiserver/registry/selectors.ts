import { badRequest } from './errors.ts';
import type { ApiKind } from './kinds.ts';
import { isLabelKey, isLabelValue } from './metadata.ts';
import { valueAt, type ApiObject } from './object.ts';

/** One term of a label selector. `notIn` also matches objects without the key, as in Kubernetes. */
export type LabelTerm =
  | { readonly type: 'in' | 'notIn'; readonly key: string; readonly values: readonly string[] }
  | { readonly type: 'exists' | 'absent'; readonly key: string };

/** One term of a field selector; absent fields are equal to the empty text. */
export interface FieldTerm {
  readonly field: string;
  readonly path: readonly string[];
  readonly equal: boolean;
  readonly value: string;
}

/** Which objects of a kind are meant: terms of a request, compiled. */
export interface Selection {
  readonly namespace?: string;
  readonly labels: readonly LabelTerm[];
  readonly fields: readonly FieldTerm[];
  /** Equal for selections that mean the same words; watchers that share it share their work. */
  readonly id: string;
}

export function select(kind: ApiKind, namespace?: string, labelSelector = '', fieldSelector = ''): Selection {
  return {
    ...(namespace !== undefined && { namespace }),
    labels: parseLabelSelector(labelSelector),
    fields: parseFieldSelector(kind, fieldSelector),
    id: JSON.stringify([namespace ?? '', labelSelector, fieldSelector]),
  };
}

/** Whether an object's labels and fields fit; the namespace is the caller's to check. */
export function fits(selection: Selection, object: ApiObject): boolean {
  for (const term of selection.fields) if ((fieldText(object, term.path) === term.value) !== term.equal) return false;
  for (const term of selection.labels) if (!fitsLabel(term, object.metadata.labels?.[term.key])) return false;
  return true;
}

/** Whether the selection takes every object of its namespace. */
export const takesAll = (selection: Selection): boolean => selection.labels.length === 0 && selection.fields.length === 0;

/** A field as selectors compare it. */
export function fieldText(object: unknown, path: readonly string[]): string {
  const value = valueAt(object, path);
  return value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
}

function fitsLabel(term: LabelTerm, value: string | undefined): boolean {
  switch (term.type) {
    case 'in':
      return value !== undefined && term.values.includes(value);
    case 'notIn':
      return value === undefined || !term.values.includes(value);
    case 'exists':
      return value !== undefined;
    case 'absent':
      return value === undefined;
  }
}

/**
 * Reads `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
 *
 * @example parseLabelSelector('tier in (web, api),!canary')
 */
export function parseLabelSelector(text: string): LabelTerm[] {
  const fail = (why: string): never => {
    throw badRequest(`unable to parse label selector ${JSON.stringify(text)}: ${why}`);
  };
  const terms: LabelTerm[] = [];
  let rest = text.trim();
  if (rest === '') return terms;
  for (;;) {
    const match = /^(!?)\s*([^\s=!,()<>]+)\s*(?:(==|=|!=)\s*([^\s=!,()]*)|(?<=\s)(in|notin)\s*\(([^()]*)\))?\s*/.exec(rest);
    if (match === null) return fail(`expected a key at ${JSON.stringify(rest)}`);
    const [whole, not, key, sign, value, set, list] = match;
    if (!isLabelKey(key!)) fail(`${JSON.stringify(key)} is not a label key`);
    if (not !== '' && (sign !== undefined || set !== undefined))
      fail(`"!" stands before a key alone, not before ${JSON.stringify(whole.trim())}`);
    if (sign !== undefined) terms.push({ type: sign === '!=' ? 'notIn' : 'in', key: key!, values: [value!] });
    else if (set !== undefined)
      terms.push({ type: set === 'in' ? 'in' : 'notIn', key: key!, values: list!.split(',').map((v) => v.trim()) });
    else terms.push({ type: not === '' ? 'exists' : 'absent', key: key! });
    const last = terms.at(-1)!;
    if ('values' in last) for (const v of last.values) if (!isLabelValue(v)) fail(`${JSON.stringify(v)} is not a label value`);
    rest = rest.slice(whole.length);
    if (rest === '') return terms;
    if (!rest.startsWith(',')) return fail(`expected "," at ${JSON.stringify(rest)}`);
    rest = rest.slice(1).trimStart();
    if (rest === '') return fail('it ends with ","');
  }
}

const METADATA_FIELDS = new Map<string, readonly string[]>([
  ['metadata.name', ['metadata', 'name']],
  ['metadata.namespace', ['metadata', 'namespace']],
]);

/** Reads `spec.nodeName=x,status.phase!=dead`; a backslash keeps the comma, equals sign or backslash behind it. */
export function parseFieldSelector(kind: ApiKind, text: string): FieldTerm[] {
  const terms: FieldTerm[] = [];
  for (const part of splitUnescaped(text, ',')) {
    if (part.trim() === '') continue;
    const match = /^\s*([^=!\s]+)\s*(==|=|!=)(.*)$/s.exec(part);
    if (match === null)
      throw badRequest(`unable to parse field selector ${JSON.stringify(text)}: ${JSON.stringify(part)} is not FIELD=VALUE`);
    const [, field, sign, value] = match;
    const path = METADATA_FIELDS.get(field!) ?? kind.fields.get(field!) ?? kind.fields.get(ALIASES[field!] ?? '');
    if (path === undefined) {
      const known = [...METADATA_FIELDS.keys(), ...kind.fields.keys()].join(', ');
      throw badRequest(`field label not supported: ${field} (${kind.plural} can be selected by ${known})`);
    }
    terms.push({ field: path.join('.'), path, equal: sign !== '!=', value: value!.trim().replace(/\\([\\,=])/g, '$1') });
  }
  return terms;
}

/** Names that kubectl uses for fields of events. */
const ALIASES: Record<string, string> = { source: 'source.component' };

function splitUnescaped(text: string, separator: string): string[] {
  const parts = [''];
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\' && i + 1 < text.length) parts[parts.length - 1] += text[i]! + text[++i]!;
    else if (text[i] === separator) parts.push('');
    else parts[parts.length - 1] += text[i]!;
  }
  return parts;
}
