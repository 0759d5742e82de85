/**
 * Server-side apply: several writers of one object, each of whom says only what it cares about. Who set a field last owns it
 * (`metadata.managedFields`); to apply another value over somebody else's is a conflict, and to apply no longer what one applied
 * before removes it.
 *
 * Everything here is pure: values, shapes and owners in, values and owners out. `shape.ts` reads from a kind's schema which parts of an
 * object have owners of their own; `fields.ts` takes values apart and together by it; `field-set.ts` is the algebra of sets of fields;
 * `managed-fields.ts` says who owns what after an update and after an apply. `registry/ownership.ts` makes use of it.
 */
export * from './field-set.ts';
export * from './fields.ts';
export * from './managed-fields.ts';
export * from './shape.ts';
