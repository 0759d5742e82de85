/**
 * The kinds of the API and their types. Everything here follows from crds/: `types.ts` and `kinds.ts` are generated,
 * `openapi.json` is what the server serves and validates with. Start with `kinds.ts`.
 */
export * from './driver-config/index.ts';
export * from './kind.ts';
export * from './kinds.ts';
export * from './launch/child.ts';
export * from './variables.ts';
