import equal from 'fast-deep-equal';
import { toTimestampSeconds, type Instant } from '../../base/index.ts';
import type { Condition, CustomResourceDefinition, CustomResourceDefinitionNames, CustomResourceDefinitionStatus } from '../../openapi/index.ts'; // prettier-ignore
import type { ApiObject } from './object.ts';

/** Which definitions are served, and what their status says: pure, so that every server comes to the same answer. */

export type Definition = CustomResourceDefinition & ApiObject;

/** A definition, and why its names cannot be had; undefined when they can. */
export interface Verdict {
  readonly definition: Definition;
  readonly conflict: { readonly reason: string; readonly message: string } | undefined;
}

/** No two kinds of a group share a name. Who is served already keeps its names; else the older definition has them. */
export function judgeNames(definitions: readonly Definition[]): Verdict[] {
  const taken = new Map<string, Set<string>>();
  return [...definitions].sort(bySeniority).map((definition) => {
    const { group, names } = definition.spec;
    let used = taken.get(group);
    if (used === undefined) taken.set(group, (used = new Set()));
    const claims = claimsOf(names);
    const clash = claims.find(({ key }) => used.has(key));
    if (clash !== undefined) {
      return { definition, conflict: { reason: clash.reason, message: `${JSON.stringify(clash.name)} is already in use` } };
    }
    for (const { key } of claims) used.add(key);
    return { definition, conflict: undefined };
  });
}

/** Resources and kinds are named apart from each other. */
function claimsOf({
  plural,
  singular,
  shortNames = [],
  kind,
  listKind,
}: CustomResourceDefinitionNames): { key: string; name: string; reason: string }[] {
  // prettier-ignore
  const resource = (name: string, reason: string) => ({ key: `resource/${name}`, name, reason });
  const named = (name: string, reason: string) => ({ key: `kind/${name}`, name, reason });
  return [
    resource(plural, 'PluralConflict'),
    ...(singular === undefined ? [] : [resource(singular, 'SingularConflict')]),
    ...shortNames.map((name) => resource(name, 'ShortNamesConflict')),
    named(kind, 'KindConflict'),
    ...(listKind === undefined ? [] : [named(listKind, 'ListKindConflict')]),
  ];
}

export const conditionOf = (definition: Definition, type: string): Condition | undefined =>
  definition.status?.conditions?.find((condition) => condition.type === type);

function bySeniority(a: Definition, b: Definition): number {
  const established = (d: Definition): number => (conditionOf(d, 'Established')?.status === 'True' ? 0 : 1);
  return (
    established(a) - established(b) ||
    compare(a.metadata.creationTimestamp, b.metadata.creationTimestamp) ||
    compare(a.metadata.uid, b.metadata.uid)
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The status of a definition; the very same value when it says so already. */
export function statusOf({ definition, conflict }: Verdict, now: Instant): CustomResourceDefinitionStatus {
  const { status = {}, spec } = definition;
  const served = conflict === undefined || conditionOf(definition, 'Established')?.status === 'True';
  const conditions: Omit<Condition, 'lastTransitionTime'>[] = [
    conflict === undefined
      ? { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' }
      : { type: 'NamesAccepted', status: 'False', ...conflict },
    served
      ? { type: 'Established', status: 'True', reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' }
      : { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' },
  ];
  if (definition.metadata.deletionTimestamp !== undefined) {
    conditions.push({ type: 'Terminating', status: 'True', reason: 'InstanceDeletionInProgress', message: 'the objects of the kind are being deleted' }); // prettier-ignore
  }
  const storage = spec.versions.find((version) => version.storage)!.name;
  const stored = status.storedVersions ?? [];
  const next: CustomResourceDefinitionStatus = {
    conditions: conditions.map((condition) => {
      const known = conditionOf(definition, condition.type);
      const since = known?.status === condition.status ? known.lastTransitionTime : undefined;
      return { ...condition, lastTransitionTime: since ?? toTimestampSeconds(now) };
    }),
    acceptedNames: conflict === undefined ? spec.names : (status.acceptedNames ?? { kind: '', plural: '' }),
    storedVersions: stored.includes(storage) ? stored : [...stored, storage],
  };
  return equal(next, status) ? status : next;
}
