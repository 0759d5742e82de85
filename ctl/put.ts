import { isDeepStrictEqual } from 'node:util';
import { isReason } from '../base/index.ts';
import type { AnyObject, Kind, Stored } from '../openapi/index.ts';
import type { ClusterContext } from './command.ts';
import { CommandError } from './errors.ts';
import { create, update } from './write.ts';

export type Outcome = 'created' | 'configured' | 'unchanged';

export interface Put {
  readonly outcome: Outcome;
  readonly object: Stored<AnyObject>;
  readonly warnings: readonly string[];
}

/** What a person says about an object: all of it but what the server and controllers keep. */
export function contentOf({ metadata, ...rest }: AnyObject): unknown {
  const { status: _, ...content } = rest as typeof rest & { status?: unknown };
  const { labels = {}, annotations = {} } = metadata;
  return { ...content, labels, annotations };
}

/** Whether two states of an object say the same. */
export const sameContent = (a: AnyObject, b: AnyObject): boolean => isDeepStrictEqual(contentOf(a), contentOf(b));

/** The object with the namespace that it goes to. */
export function placed(context: ClusterContext, kind: Kind, object: AnyObject): AnyObject {
  const namespace = kind.namespaced ? (object.metadata.namespace ?? context.namespace) : undefined;
  return { ...object, metadata: { ...object.metadata, ...(namespace !== undefined && { namespace }) } };
}

const attempts = 5;

/**
 * Creates an object, or replaces all of it but what the server and controllers keep. A dry run is told apart by what it would
 * store, since it leaves versions and generations as they are.
 */
export async function putObject(
  context: ClusterContext,
  kind: Kind,
  wanted: AnyObject,
  { dryRun = false }: { readonly dryRun?: boolean } = {},
): Promise<Put> {
  const { name } = wanted.metadata;
  if (name === undefined) throw new CommandError(`${kind.kind} without metadata.name`);
  const located = placed(context, kind, wanted);
  for (let attempt = 1; ; attempt++) {
    const existing: Stored<AnyObject> | undefined = await context.client.find(kind, name, located.metadata.namespace);
    try {
      if (existing === undefined) {
        const { object, warnings } = await create(context, kind, located, { dryRun });
        return { outcome: 'created', object, warnings };
      }
      const metadata = {
        ...existing.metadata,
        labels: { ...existing.metadata.labels, ...wanted.metadata.labels },
        annotations: { ...existing.metadata.annotations, ...wanted.metadata.annotations },
      };
      const { object, warnings } = await update(context, kind, { ...existing, ...located, metadata }, { dryRun });
      return { outcome: sameContent(existing, object) ? 'unchanged' : 'configured', object, warnings };
    } catch (error) {
      if (!isReason(error, 'Conflict', 'AlreadyExists') || attempt === attempts) throw error;
    }
  }
}
