import type { BatchOperation, BatchResult, Client } from '../../../client/index.ts';
import type { Deployment, Evaluation, EvaluationStatus, Stored } from '../../../openapi/index.ts';
import type { AllocationRecord } from '../model.ts';
import type { Cluster } from '../state/cluster.ts';
import type { Plan } from './evaluate.ts';

/**
 * The batch of a plan. It is one transaction where the store can hold it; where it is cut into chunks, any prefix is repaired by
 * the next evaluation: the deployment first, since placements name it; then what frees room, then what takes it; last the
 * outcome, so that an evaluation whose plan was cut short is still pending.
 */
export function operationsOf(plan: Plan, evaluation: Stored<Evaluation>): BatchOperation[] {
  const of = (kind: string, name: string, namespace = plan.namespace) => ({ apiVersion: 'orch.dev/v1', kind, namespace, name });
  const operations: BatchOperation[] = [];
  if (plan.deployment !== undefined) operations.push({ operation: 'create', object: plan.deployment });
  for (const { id, namespace, spec, status } of plan.patches) {
    if (Object.keys(spec).length > 0)
      operations.push({ operation: 'patch', ...of('Allocation', id, namespace), patch: { spec } });
    if (status !== undefined)
      operations.push({ operation: 'patch', subresource: 'status', ...of('Allocation', id, namespace), patch: { status } });
  }
  for (const { object } of plan.placements) operations.push({ operation: 'create', object });
  for (const object of plan.evaluations) operations.push({ operation: 'create', object });
  for (const [name, description] of plan.cancelled) {
    const status = { phase: 'cancelled', description, modifiedAt: plan.status.modifiedAt };
    operations.push({ operation: 'patch', subresource: 'status', ...of('Evaluation', name), patch: { status } });
  }
  operations.push({
    operation: 'patch',
    subresource: 'status',
    ...of('Evaluation', evaluation.metadata.name),
    // Worked on by somebody else in the meantime: then nothing of this is written.
    uid: evaluation.metadata.uid,
    resourceVersion: evaluation.metadata.resourceVersion,
    patch: { status: replacing(evaluation.status, plan.status) },
  });
  return operations;
}

/** What one request holds at most; the server takes twice as much. */
const REQUEST = { operations: 10_000, bytes: 8 << 20 };
/** A plan of so few operations surely fits. */
const SMALL = 1_000;

/** Sends a plan: in one request, or in their order in as many as its size asks for. What is written when one fails is a prefix. */
export async function send(client: Pick<Client, 'batch'>, operations: readonly BatchOperation[]): Promise<BatchResult> {
  const results: BatchResult['results'][number][] = [];
  let revision = '0';
  for (const part of operations.length <= SMALL ? [operations] : requestsOf(operations)) {
    const written = await client.batch(part);
    results.push(...written.results);
    revision = written.revision;
  }
  return { revision, results };
}

function requestsOf(operations: readonly BatchOperation[]): BatchOperation[][] {
  const requests: BatchOperation[][] = [];
  let bytes = Infinity;
  for (const operation of operations) {
    const size = Buffer.byteLength(JSON.stringify(operation));
    if (bytes + size > REQUEST.bytes || requests.at(-1)!.length >= REQUEST.operations) {
      requests.push([]);
      bytes = 0;
    }
    requests.at(-1)!.push(operation);
    bytes += size;
  }
  return requests;
}

/** A merge patch that leaves `after` and nothing else. */
function replacing(before: EvaluationStatus | undefined, after: EvaluationStatus): Record<string, unknown> {
  const patch: Record<string, unknown> = { ...after };
  for (const key of Object.keys(before ?? {})) if (!(key in patch)) patch[key] = null;
  return patch;
}

/** Whether a plan says nothing that is not known: an evaluation that is still blocked, for the same reasons. */
export function isNothingNew(plan: Plan, evaluation: Stored<Evaluation>): boolean {
  return (
    plan.status.phase === 'blocked' &&
    plan.placements.length === 0 &&
    plan.patches.length === 0 &&
    plan.evaluations.length === 0 &&
    plan.cancelled.size === 0 &&
    plan.deployment === undefined &&
    stable(evaluation.status) === stable(plan.status)
  );
}

const stable = (status: EvaluationStatus | undefined): string =>
  JSON.stringify([status?.queued, status?.failedPlacements, status?.classEligibility, status?.escapedClass].map(sorted));

function sorted(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, sorted(inner)]);
}

/**
 * Room that a plan takes while it is being committed, so that the next evaluation does not hand it out again. What a plan frees
 * stays taken until it is committed.
 */
export class Reservation {
  readonly #cluster: Cluster;
  readonly #plan: Plan;

  constructor(cluster: Cluster, plan: Plan) {
    this.#cluster = cluster;
    this.#plan = plan;
    for (const { record } of plan.placements) cluster.allocations.put(record);
  }

  /** The plan was written: what it says is so, whether or not the informers have told yet. */
  commit(result: BatchResult): { readonly evaluations: Stored<Evaluation>[]; readonly evaluationVersion: string | undefined } {
    const { deployment, patches, placements, evaluations, cancelled } = this.#plan;
    const versions = result.results.map(({ resourceVersion }) => resourceVersion);
    let at = 0;
    const next = (): string => versions[at++] ?? result.revision;
    if (deployment !== undefined) this.#cluster.putDeployment(stored(deployment, result, next()));
    for (const { spec, status, after } of patches) {
      let version = 0;
      if (Object.keys(spec).length > 0) version = Number(next());
      if (status !== undefined) version = Number(next());
      this.#observe({ ...after, revision: version });
    }
    for (const { record } of placements) this.#observe({ ...record, revision: Number(next()) });
    const made = evaluations.map((evaluation) => stored(evaluation, result, next()));
    at += cancelled.size;
    return { evaluations: made, evaluationVersion: versions[at] };
  }

  /** The plan was refused: nothing of it is so, and who found no room beside it may try again. */
  rollback(): void {
    for (const { record } of this.#plan.placements) this.#cluster.allocations.forget(record.id, 0);
  }

  /** The agent may have been heard on the allocation since the plan was made: its word on the phase stays. */
  #observe(record: AllocationRecord): void {
    const known = this.#cluster.allocations.get(record.id);
    if (known !== undefined && known.revision > record.revision) return;
    const isOurs = record.phase === 'lost' || record.phase === 'unknown';
    const phase = isOurs || known === undefined ? record.phase : known.phase;
    this.#cluster.allocations.observe({ ...record, phase });
  }
}

/** An object as the server has stored it, as far as the scheduler needs to know. */
function stored<T extends Deployment | Evaluation>(object: T, result: BatchResult, resourceVersion: string): Stored<T> {
  const uid = result.results.find(({ name }) => name === object.metadata.name)?.uid ?? '';
  const creationTimestamp = object.status?.modifiedAt ?? '';
  return {
    ...object,
    metadata: { ...object.metadata, uid, resourceVersion, generation: 1, creationTimestamp },
  } as unknown as Stored<T>;
}
