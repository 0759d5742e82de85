import equal from 'fast-deep-equal';
import { toTimestamp, type StatusCause } from '../../base/index.ts';
import { HIDDEN, variableName, variablePath, variablePathProblem, type VariableSpec } from '../../openapi/index.ts';
import { invalidValue, required } from '../registry/errors.ts';
import { valueAt, type ApiObject } from '../registry/object.ts';
import type { Admission } from './chain.ts';

/** Keys and values together, in bytes. */
const MAX_SIZE = 64 * 1024;

const specOf = (object: ApiObject): VariableSpec => object['spec'] as VariableSpec;

/** Variables: the rules of paths and sizes, marks that stand for stored values, and the time of the last change. */
export const variable: Admission = {
  names: 'segment',
  default: ({ object, old, now }) => {
    const { items, path } = specOf(object);
    const before = old === undefined ? {} : specOf(old).items;
    const restored = Object.fromEntries(
      Object.entries(items).map(([key, value]) => [key, value === HIDDEN && Object.hasOwn(before, key) ? before[key]! : value]),
    );
    const same = old !== undefined && equal(restored, before);
    const modifiedAt = same ? valueAt(old, ['status', 'modifiedAt']) : toTimestamp(now);
    return {
      ...object,
      spec: { ...specOf(object), path: path ?? variablePath(object.metadata.name), items: restored },
      status: { modifiedAt },
    };
  },
  validate: ({ object, old }) => {
    const { path = '', items } = specOf(object);
    const causes: StatusCause[] = [];
    const problem = variablePathProblem(path);
    if (problem !== undefined) causes.push(invalidValue('spec.path', path, problem));
    else if (variableName(path) !== object.metadata.name) {
      causes.push(invalidValue('spec.path', path, `the variable of this path is called ${variableName(path)}`));
    }
    const entries = Object.entries(items);
    if (entries.length === 0) causes.push(required('spec.items', 'Required value: empty variables are invalid'));
    const size = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
    if (size > MAX_SIZE) {
      causes.push({ reason: 'FieldValueTooLong', message: 'Too long: variables are limited to 64KiB in total size', field: 'spec.items' }); // prettier-ignore
    }
    const stored = old === undefined ? {} : specOf(old).items;
    for (const [key, value] of entries) {
      if (key === '') causes.push(invalidValue('spec.items', '', 'keys must not be empty'));
      if (value === HIDDEN && stored[key] !== HIDDEN) {
        causes.push(invalidValue(`spec.items[${key}]`, '', 'there is no stored value that it could stand for')); // prettier-ignore
      }
    }
    return causes;
  },
};
