/**
 * The garbage collector: one controller for each kind, of one shape, led together. An object goes when
 *
 * - all its owners (`metadata.ownerReferences`, by uid) are gone, whatever its kind, or
 * - a rule of its kind says that it has outlived its use (`rules.ts`).
 *
 * Nothing is swept: each object is looked at when it or what it depends on changes, and at the instant that its rule names.
 */
import type { Duration } from '../../base/index.ts';
import { keyOf, objectKey, type Client } from '../../client/index.ts';
import {
  AllocationKind,
  builtinKinds,
  DeploymentKind,
  EvaluationKind,
  JobKind,
  JobVersionKind,
  NodeKind,
  OperationKind,
  type Allocation,
  type AnyObject,
  type Kind,
  type Stored,
} from '../../openapi/index.ts';
import {
  ALLOCATION_FINALIZER,
  allocationsByDeployment,
  allocationsByEvaluation,
  allocationsByJob,
  allocationsByNode,
  deploymentsByJob,
  isClientTerminal,
  jobsByUid,
  versionsByJob,
} from '../objects/index.ts';
import {
  defineController,
  lookUp,
  settled,
  wakeAt,
  watch,
  type Controller,
  type Index,
  type Reader,
  type Watch,
} from '../runtime/index.ts';
import { Deleter } from './deleter.ts';
import { dependentsOf, ownerIndex, ownersAreGone, ownersOf, uidIndex } from './owners.ts';
import { gcOperations, type Collected } from './operation.ts';
import { propagate } from './propagation.ts';
import {
  allocationRule,
  deploymentRule,
  evaluationRule,
  jobRule,
  jobVersionRule,
  keep,
  nodeRule,
  operationRule,
  type Verdict,
} from './rules.ts';

export interface GcConfig {
  /** How long finished evaluations are kept. */
  readonly evaluation: Duration;
  /** How long answers to dry runs are kept. */
  readonly dryRun: Duration;
  readonly allocation: Duration;
  /** How long finished batch jobs, and stopped jobs, are kept. */
  readonly job: Duration;
  readonly deployment: Duration;
  /** How long a node that is down is kept. */
  readonly node: Duration;
  /** How many versions of a job are kept. */
  readonly jobVersions: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

export const defaultGcConfig: GcConfig = {
  evaluation: HOUR,
  dryRun: 5 * MINUTE,
  allocation: 24 * HOUR,
  job: 4 * HOUR,
  deployment: HOUR,
  node: 24 * HOUR,
  jobVersions: 6,
};

/** Every kind that may own or be owned. Events end by themselves. */
const builtin: readonly Kind[] = builtinKinds.filter((kind) => kind.kind !== 'Event');

interface Collection {
  /** What makes an object look different though it did not change itself. */
  readonly reads?: readonly Watch[];
  readonly indexes?: readonly Index[];
  rule?(object: Stored<AnyObject>, read: Reader, config: GcConfig): Verdict;
  /** Of an object whose deletion was asked for: the finalizer that is taken off, and when. */
  readonly release?: Release;
}

interface Release {
  readonly finalizer: string;
  readonly when: (object: Stored<AnyObject>) => boolean;
}

async function letGo(kind: Kind, object: Stored<AnyObject>, { finalizer, when }: Release, write: Client): Promise<void> {
  const { name, namespace, finalizers = [], resourceVersion } = object.metadata;
  if (!finalizers.includes(finalizer) || !when(object)) return;
  const left = finalizers.filter((other) => other !== finalizer);
  await write.patch(kind, name, namespace, { metadata: { resourceVersion, finalizers: left } });
}

/** The collectors of the built-in kinds, and of those that users defined. */
export function gcControllers(config: GcConfig = defaultGcConfig, custom: readonly Kind[] = []): Controller[] {
  const kinds = [...builtin, ...custom];
  const collectors = kinds.map((kind) =>
    collector(kind, kinds, (builtin.includes(kind) && collections[kind.kind]) || {}, config),
  );
  return [...collectors, gcOperations(agedKinds, config)];
}

function collector(
  kind: Kind,
  kinds: readonly Kind[],
  { reads = [], indexes = [], rule, release }: Collection,
  config: GcConfig,
): Controller {
  const own = ownerIndex(kind);
  return defineController({
    name: `gc-${kind.plural}`,
    primary: kind,
    reads: [
      ...reads,
      ...kinds.map((owner) => watch(owner, (object, read) => dependentsOf(object, own, read), { on: 'delete' })),
      // Who waits for its dependents looks again when one of them is gone.
      ...kinds.map((dependent) => watch(dependent, (object) => ownersOf(object, kind), { on: 'delete' })),
    ],
    writes: [kind],
    indexes: [own, ...kinds.map(uidIndex), ...indexes] as readonly Index[],
    concurrency: 64,
    memory: () => new Deleter(),

    async reconcile(key, { read, write, clock, log, memory, signal }) {
      const object = read.get(kind, key);
      if (object === undefined) return settled;
      if (object.metadata.deletionTimestamp !== undefined) {
        if (release !== undefined) await letGo(kind, object, release, write);
        await propagate(kind, object, kinds, write, signal);
        return settled;
      }
      const orphaned = await ownersAreGone(object, kinds, read, write);
      const verdict = orphaned
        ? ({ type: 'collect', at: 0, because: 'its owners are gone' } as const)
        : (rule?.(object, read, config) ?? keep);
      if (verdict.type === 'keep') return settled;
      if (verdict.at > clock.now()) return wakeAt(verdict.at);
      if (verdict.type === 'lookAgain') return wakeAt(clock.now() + HOUR);
      await memory.delete(kind, object, write, signal);
      log.info('collected', { kind: kind.kind, because: verdict.because });
      return settled;
    },
  });
}

const namespaced = (name: string | undefined, of: Stored<AnyObject>): string[] =>
  name === undefined ? [] : [objectKey(name, of.metadata.namespace)];

const collection = <T extends AnyObject>(
  _: Kind<T>,
  of: {
    reads?: readonly Watch[];
    indexes?: readonly Index[];
    rule: (object: Stored<T>, read: Reader, config: GcConfig) => Verdict;
    release?: Release;
  },
): Collection => of;

const collections: Readonly<Record<string, Collection>> = {
  Evaluation: collection(EvaluationKind, {
    reads: [watch(AllocationKind, (a) => namespaced(a.spec.evaluation, a), { delay: 1000 })],
    indexes: [allocationsByEvaluation],
    rule: evaluationRule,
  }),
  Allocation: collection(AllocationKind, {
    reads: [
      watch(EvaluationKind, (evaluation, read) => read.by(allocationsByEvaluation, keyOf(evaluation)).map(keyOf), {
        delay: 1000,
      }),
      watch(JobKind, (job, read) => read.by(allocationsByJob, job.metadata.uid).map(keyOf), { on: 'delete' }),
    ],
    indexes: [allocationsByEvaluation, allocationsByJob, jobsByUid],
    rule: allocationRule,
    release: { finalizer: ALLOCATION_FINALIZER, when: (object) => isClientTerminal(object as Stored<Allocation>) },
  }),
  Deployment: collection(DeploymentKind, {
    reads: [
      watch(DeploymentKind, (deployment, read) => read.by(deploymentsByJob, deployment.spec.jobUID).map(keyOf)),
      watch(AllocationKind, (a) => namespaced(a.spec.deployment, a), { delay: 1000 }),
    ],
    indexes: [deploymentsByJob, allocationsByDeployment],
    rule: deploymentRule,
  }),
  Job: collection(JobKind, { rule: jobRule }),
  JobVersion: collection(JobVersionKind, {
    reads: [
      watch(JobVersionKind, (version, read) => read.by(versionsByJob, version.spec.jobUID).map(keyOf)),
      watch(AllocationKind, (a, read) => read.by(versionsByJob, a.spec.jobUID).map(keyOf), { on: 'delete', delay: 1000 }),
    ],
    indexes: [versionsByJob, allocationsByJob],
    rule: jobVersionRule,
  }),
  Node: collection(NodeKind, {
    reads: [watch(AllocationKind, (a) => [a.spec.nodeName], { on: 'delete', delay: 1000 }), lookUp(AllocationKind)],
    indexes: [allocationsByNode],
    rule: nodeRule,
  }),
  Operation: collection(OperationKind, { rule: operationRule }),
};

/** What grows old; what depends on something else comes before it. */
const agedKinds: readonly Collected[] = [JobKind, EvaluationKind, AllocationKind, DeploymentKind, NodeKind].map((kind) => {
  const { rule = () => keep, indexes = [] } = collections[kind.kind]!;
  return { kind, rule, indexes };
});
