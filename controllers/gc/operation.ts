import type { BatchOperation, Client } from '../../client/index.ts';
import { OperationKind, type AnyObject, type Kind, type Stored } from '../../openapi/index.ts';
import { completed, isOver } from '../objects/index.ts';
import {
  defineController,
  deleteOperation,
  lookUp,
  settled,
  type Controller,
  type Index,
  type Reader,
} from '../runtime/index.ts';
import type { GcConfig } from './index.ts';
import type { Verdict } from './rules.ts';

/** A kind whose objects outlive their use, and by which rule. */
export interface Collected {
  readonly kind: Kind;
  readonly indexes: readonly Index[];
  readonly rule: (object: Stored<AnyObject>, read: Reader, config: GcConfig) => Verdict;
}

const AT_ONCE = 500;

/**
 * Does what `orchctl system gc` asks for: collects everything that has ended, however young it is. No rule waits until something else is
 * gone, only until it has ended, so one look is enough; what belongs to the jobs that go follows them.
 */
export function gcOperations(collected: readonly Collected[], config: GcConfig): Controller {
  // Answers to dry runs may still be waited for: they keep their age.
  const ageless: GcConfig = { ...config, evaluation: 0, allocation: 0, job: 0, deployment: 0, node: 0 };
  return defineController({
    name: 'gc-operations',
    primary: OperationKind,
    reads: collected.map(({ kind }) => lookUp(kind)),
    writes: [OperationKind, ...collected.map(({ kind }) => kind)],
    indexes: collected.flatMap(({ indexes }) => indexes),
    concurrency: 1,

    async reconcile(key, { read, write, clock, log, signal }) {
      const operation = read.get(OperationKind, key);
      if (operation?.spec.type !== 'gc' || isOver(operation)) return settled;
      const now = clock.now();
      const counts: Record<string, number> = {};
      for (const { kind, rule } of collected) {
        const due = read.list(kind).filter((object) => isDue(rule(object, read, ageless), object, now));
        const count = await remove(kind, due, write, signal);
        if (count > 0) counts[kind.kind] = count;
      }
      log.info('collected what has ended', counts);
      const status = completed(counts, inWords(counts), now);
      await write.patch(OperationKind, operation.metadata.name, undefined, { status }, { subresource: 'status', signal });
      return settled;
    },
  });
}

const isDue = (verdict: Verdict, { metadata }: Stored<AnyObject>, now: number): boolean =>
  metadata.deletionTimestamp === undefined && verdict.type === 'collect' && verdict.at <= now;

/** Those that changed meanwhile stay. */
async function remove(kind: Kind, objects: readonly Stored<AnyObject>[], write: Client, signal: AbortSignal): Promise<number> {
  let count = 0;
  for (let at = 0; at < objects.length; at += AT_ONCE) {
    const operations: BatchOperation[] = objects.slice(at, at + AT_ONCE).map((object) => ({
      ...deleteOperation(kind, object),
      resourceVersion: object.metadata.resourceVersion,
    }));
    const { results } = await write.batch(operations, { mode: 'independent', signal });
    count += results.filter(({ code }) => code < 300).length;
  }
  return count;
}

/** `Collected 2 Jobs, 1 Node` */
function inWords(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([kind, count]) => `${count} ${kind}${count === 1 ? '' : 's'}`);
  return parts.length === 0 ? 'Nothing to collect' : `Collected ${parts.join(', ')}`;
}
