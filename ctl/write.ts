import { collectionPath, objectPath, type AnyObject, type Kind, type Stored } from '../openapi/index.ts';
import type { ClusterContext } from './command.ts';

/** What the server stored, and what it thinks is allowed but probably not meant. */
export interface Written<T extends AnyObject> {
  readonly object: Stored<T>;
  readonly warnings: readonly string[];
}

export interface WriteHow {
  readonly dryRun?: boolean;
}

/** Like the client's create; unknown fields are errors, and warnings are handed on. */
export function create<T extends AnyObject>(
  context: ClusterContext,
  kind: Kind<T>,
  object: T,
  how: WriteHow = {},
): Promise<Written<T>> {
  return write(context, 'POST', collectionPath(kind, object.metadata.namespace), kind, object, how);
}

/** Like the client's update, in the same way. */
export function update<T extends AnyObject>(
  context: ClusterContext,
  kind: Kind<T>,
  object: T,
  how: WriteHow = {},
): Promise<Written<T>> {
  const { name = '', namespace } = object.metadata;
  return write(context, 'PUT', objectPath(kind, name, namespace), kind, object, how);
}

async function write<T extends AnyObject>(
  { client }: ClusterContext,
  method: 'POST' | 'PUT',
  path: string,
  { apiVersion, kind }: Kind<T>,
  object: T,
  { dryRun = false }: WriteHow,
): Promise<Written<T>> {
  const response = await client.stream(method, path, {
    query: { fieldValidation: 'Strict', fieldManager: 'orchctl', ...(dryRun && { dryRun: 'All' }) },
    body: { ...object, apiVersion, kind },
  });
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return {
    object: JSON.parse(Buffer.concat(parts).toString('utf8')) as Stored<T>,
    warnings: parseWarnings(response.headers['warning']),
  };
}

/**
 * The texts of `Warning: 299 - "text"` headers. Line ends and tabs travel as `\n` and `\t`.
 *
 * @example parseWarnings('299 - "a \\"b\\"", 299 - "c"') // ['a "b"', 'c']
 */
export function parseWarnings(header: string | readonly string[] | undefined): string[] {
  const text = typeof header === 'string' ? header : (header ?? []).join(', ');
  return [...text.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, quoted]) =>
    quoted!.replace(/\\(.)/g, '$1').replace(/\\([nt])/g, (_, letter: string) => (letter === 'n' ? '\n' : '\t')),
  );
}

/** `2 warning(s):` with one paragraph each; undefined without any. */
export function warningText(warnings: readonly string[]): string | undefined {
  if (warnings.length === 0) return undefined;
  return `${warnings.length} warning(s):\n\n${warnings.map((warning) => `* ${warning}`).join('\n')}`;
}
