import type { Stored } from '../kind.ts';
import type { Job, JobSpec } from '../kinds.ts';

/** Runs nothing itself: jobs are launched from it, by its schedule or by a dispatch. */
export const isTemplate = (spec: JobSpec): boolean => spec.periodic !== undefined || spec.parameterized !== undefined;

export interface Dispatch {
  /** Base64. */
  readonly payload?: string;
  readonly meta?: Readonly<Record<string, string>>;
  readonly idempotencyToken?: string;
}

/** The ID of the job that a periodic job launches for an instant: whoever launches it calls it the same. */
export const launchId = (parent: Stored<Job>, at: number): string => `${idOf(parent)}/periodic-${Math.floor(at / 1000)}`;

/** A job launched from another one, which owns it. */
export function childJob(parent: Stored<Job>, id: string, dispatch?: Dispatch): Job {
  const { periodic: _, parameterized: __, stop: ___, ...spec } = parent.spec;
  const { name, namespace, uid } = parent.metadata;
  return {
    apiVersion: parent.apiVersion,
    kind: parent.kind,
    metadata: {
      name: id.replaceAll('/', ':'),
      ...(namespace !== undefined && { namespace }),
      ownerReferences: [{ apiVersion: parent.apiVersion, kind: parent.kind, name, uid, controller: true }],
    },
    spec: {
      ...spec,
      id,
      name: id,
      parentID: idOf(parent),
      ...(dispatch !== undefined && {
        dispatched: true,
        ...(dispatch.payload !== undefined && dispatch.payload !== '' && { payload: dispatch.payload }),
        ...(dispatch.meta !== undefined && { meta: { ...spec.meta, ...dispatch.meta } }),
        ...(dispatch.idempotencyToken !== undefined && { dispatchIdempotencyToken: dispatch.idempotencyToken }),
      }),
    },
  };
}

const idOf = ({ metadata, spec }: Stored<Job>): string => spec.id ?? metadata.name;
