/**
 * What a CustomResourceDefinition must be before its kind is served: every problem is told when it is written, so that a definition
 * that was accepted can be served by any server without another word. `structural.ts` judges schemas.
 */
import equal from 'fast-deep-equal';
import { describeError, type StatusCause } from '../../../base/index.ts';
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '../../../openapi/index.ts';
import { workingSchema, customKind } from '../../registry/custom-kind.ts';
import { duplicate, forbiddenField, invalidValue, required } from '../../registry/errors.ts';
import { compileJsonPath, fieldsOf } from '../../registry/json-path.ts';
import { nameProblem } from '../../registry/metadata.ts';
import { formatPath, isObject, type ApiObject } from '../../registry/object.ts';
import { SchemaSet, type JsonSchema } from '../../registry/schema.ts';
import type { Admission } from '../chain.ts';
import { defaultsIn, structuralProblems } from './structural.ts';

/** Whoever deletes a definition deletes its objects; the server takes this off when that is done. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

/** Groups of the server itself. */
const RESERVED = new Set([
  'orch.dev', 'apiextensions.k8s.io', 'coordination.k8s.io', 'authentication.k8s.io', 'authorization.k8s.io', 'apidiscovery.k8s.io', 'meta.k8s.io',
  'apiregistration.k8s.io', 'events.k8s.io',
]); // prettier-ignore
const MAX_SELECTABLE = 8;

const definitionOf = (object: ApiObject): CustomResourceDefinition => object as unknown as CustomResourceDefinition;

export const customResourceDefinition: Admission = {
  finalizers: [CLEANUP_FINALIZER],
  default: ({ object }) => {
    const { spec } = definitionOf(object);
    const { names } = spec;
    const filled: CustomResourceDefinition['spec'] = {
      ...spec,
      names: { ...names, singular: names.singular || names.kind.toLowerCase(), listKind: names.listKind || `${names.kind}List` },
      conversion: spec.conversion ?? { strategy: 'None' },
    };
    return equal(filled, spec) ? object : { ...object, spec: filled };
  },
  validate: ({ object, old }) => {
    if (old !== undefined && equal(object['spec'], old['spec'])) return [];
    return definitionProblems(definitionOf(object), old === undefined ? undefined : definitionOf(old));
  },
};

function definitionProblems(definition: CustomResourceDefinition, old: CustomResourceDefinition | undefined): StatusCause[] {
  const { spec, metadata } = definition;
  const causes = [...nameProblems(definition), ...(old === undefined ? [] : changeProblems(definition, old))];
  const wanted = `${spec.names.plural}.${spec.group}`;
  if (metadata.name !== wanted)
    causes.push(invalidValue('metadata.name', metadata.name, `must be spec.names.plural+"."+spec.group, ${JSON.stringify(wanted)}`)); // prettier-ignore
  if (spec.preserveUnknownFields === true) {
    causes.push(invalidValue('spec.preserveUnknownFields', true, 'must be false; say x-kubernetes-preserve-unknown-fields: true where a schema shall keep what it does not declare')); // prettier-ignore
  }
  if (spec.conversion?.strategy !== 'None') {
    causes.push(invalidValue('spec.conversion.strategy', spec.conversion?.strategy, 'must be None: conversion by webhooks is not built yet')); // prettier-ignore
  }
  const { versions } = spec;
  const storage = versions.filter((version) => version.storage).length;
  if (storage !== 1)
    causes.push(invalidValue('spec.versions', versions.map((v) => v.name), `must have exactly one version marked as storage version, not ${storage}`)); // prettier-ignore
  versions.forEach((version, i) => causes.push(...versionProblems(version, ['spec', 'versions', i])));
  if (causes.length > 0) return causes;
  // What is left is what only compiling shows.
  for (const [i, version] of versions.entries()) {
    try {
      const { schema } = customKind(definition, version.name);
      for (const steps = schema.compile(); steps.next().done !== true;);
      causes.push(...defaultProblems(version.schema!.openAPIV3Schema as JsonSchema, ['spec', 'versions', i, 'schema', 'openAPIV3Schema'])); // prettier-ignore
    } catch (error) {
      causes.push(invalidValue(`spec.versions[${i}].schema`, version.name, describeError(error)));
    }
  }
  return causes;
}

const LABEL_1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_RULE =
  'must consist of lower case letters, digits and "-", begin with a letter, end with a letter or digit, and have at most 63 characters';
const isLabel = (text: string): boolean => text.length <= 63 && LABEL_1035.test(text);

function nameProblems({ spec }: CustomResourceDefinition): StatusCause[] {
  const causes: StatusCause[] = [];
  const { group, names } = spec;
  if (RESERVED.has(group))
    causes.push(forbiddenField('spec.group', `the group ${group} belongs to the server; take a domain of your own`)); // prettier-ignore
  else {
    const problem =
      nameProblem(group, 'subdomain') ?? (group.includes('.') ? undefined : 'should be a domain with at least one dot');
    if (problem !== undefined) causes.push(invalidValue('spec.group', group, problem));
  }
  const label = (text: string, field: string): void => {
    if (!isLabel(text)) causes.push(invalidValue(`spec.names.${field}`, text, LABEL_RULE));
  };
  label(names.plural, 'plural');
  if (names.singular !== undefined) label(names.singular, 'singular');
  names.shortNames?.forEach((name, i) => label(name, `shortNames[${i}]`));
  names.categories?.forEach((name, i) => label(name, `categories[${i}]`));
  if (names.plural === 'namespaces')
    causes.push(forbiddenField('spec.names.plural', 'paths have "namespaces" in another meaning'));
  for (const field of ['kind', 'listKind'] as const) {
    const name = names[field];
    if (name !== undefined && !isLabel(name.toLowerCase())) causes.push(invalidValue(`spec.names.${field}`, name, 'must be a name in CamelCase')); // prettier-ignore
  }
  if (names.kind === names.listKind) causes.push(invalidValue('spec.names.listKind', names.listKind, 'kind and listKind may not be the same')); // prettier-ignore
  return causes;
}

/** What its objects in the store rely on. */
function changeProblems(definition: CustomResourceDefinition, old: CustomResourceDefinition): StatusCause[] {
  const fields = [
    ['spec.group', definition.spec.group, old.spec.group],
    ['spec.scope', definition.spec.scope, old.spec.scope],
    ['spec.names.plural', definition.spec.names.plural, old.spec.names.plural],
    ['spec.names.kind', definition.spec.names.kind, old.spec.names.kind],
  ] as const;
  return fields
    .filter(([, now, before]) => now !== before)
    .map(([field, now, before]) => invalidValue(field, now, `field is immutable (it is ${JSON.stringify(before)})`));
}

function versionProblems(version: CustomResourceDefinitionVersion, path: readonly (string | number)[]): StatusCause[] {
  const causes: StatusCause[] = [];
  const at = (...more: (string | number)[]): string => formatPath([...path, ...more]);
  if (!isLabel(version.name)) causes.push(invalidValue(at('name'), version.name, LABEL_RULE));
  const schema = version.schema?.openAPIV3Schema;
  if (schema === undefined) causes.push(required(at('schema', 'openAPIV3Schema'), 'Required value: schemas are required'));
  else causes.push(...structuralProblems(schema, [...path, 'schema', 'openAPIV3Schema']));
  if (version.deprecationWarning !== undefined) {
    if (version.deprecated !== true)
      causes.push(invalidValue(at('deprecationWarning'), version.deprecationWarning, 'can only be set for deprecated versions')); // prettier-ignore
    else if (version.deprecationWarning.length > 256 || /[\u0000-\u001f]/.test(version.deprecationWarning))
      causes.push(invalidValue(at('deprecationWarning'), version.deprecationWarning, 'must be a line of at most 256 characters'));
  }
  version.additionalPrinterColumns?.forEach((column, i) => {
    const why = problemOf(() => compileJsonPath(column.jsonPath));
    if (why !== undefined) causes.push(invalidValue(at('additionalPrinterColumns', i, 'jsonPath'), column.jsonPath, why));
  });
  const scale = version.subresources?.scale;
  const under = (field: string, path: string, roots: readonly string[]): void => {
    const fields = tryFields(path);
    if (fields === undefined || fields.length < 2 || !roots.includes(fields[0]!))
      causes.push(invalidValue(at('subresources', 'scale', field), path, `must be a path of field names under ${roots.map((r) => `.${r}`).join(' or ')}`)); // prettier-ignore
  };
  if (scale !== undefined) {
    under('specReplicasPath', scale.specReplicasPath, ['spec']);
    under('statusReplicasPath', scale.statusReplicasPath, ['status']);
    if (scale.labelSelectorPath !== undefined && scale.labelSelectorPath !== '')
      under('labelSelectorPath', scale.labelSelectorPath, ['spec', 'status']);
  }
  const selectable = version.selectableFields ?? [];
  if (selectable.length > MAX_SELECTABLE) {
    causes.push({ reason: 'FieldValueTooMany', message: `Too many: may not have more than ${MAX_SELECTABLE} items`, field: at('selectableFields') }); // prettier-ignore
  }
  const seen = new Set<string>();
  selectable.forEach(({ jsonPath }, i) => {
    const field = at('selectableFields', i, 'jsonPath');
    if (seen.has(jsonPath)) causes.push(duplicate(field, jsonPath));
    seen.add(jsonPath);
    const fields = tryFields(jsonPath);
    const type = fields === undefined ? undefined : typeAt(schema, fields);
    if (fields === undefined || !['string', 'boolean', 'integer'].includes(type ?? '') || fields[0] === 'metadata')
      causes.push(invalidValue(field, jsonPath, 'must lead to a string, boolean or integer that the schema declares'));
  });
  return causes;
}

function problemOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}

function tryFields(path: string): string[] | undefined {
  try {
    return path.startsWith('.') ? fieldsOf(path) : undefined;
  } catch {
    return undefined;
  }
}

function typeAt(schema: unknown, path: readonly string[]): string | undefined {
  let at = schema;
  for (const name of path) {
    const properties = isObject(at) ? at['properties'] : undefined;
    at = isObject(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined;
  }
  return isObject(at) && typeof at['type'] === 'string' ? at['type'] : undefined;
}

/** A default is filled in without being asked about again, so it must be a value that would be taken. */
function defaultProblems(schema: JsonSchema, path: readonly (string | number)[]): StatusCause[] {
  const set = new SchemaSet({});
  const causes: StatusCause[] = [];
  for (const { value, schema: part, path: where } of defaultsIn(schema, path)) {
    const { default: _, ...rest } = workingSchema(part);
    const form: JsonSchema = { type: 'object', properties: { value: rest } };
    const findings = { unknown: [] as string[], causes: [] as StatusCause[] };
    const { clean, validate } = set.kind(form);
    const found = [...findings.causes, ...validate(clean({ value }, findings))];
    for (const { message } of found) causes.push({ reason: 'FieldValueInvalid', message, field: formatPath(where) });
    for (const unknown of findings.unknown) causes.push(invalidValue(formatPath(where), value, `must not have fields that the schema lacks (${unknown.replace(/^value\.?/, '')})`)); // prettier-ignore
  }
  return causes;
}
