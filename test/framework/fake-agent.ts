import { uuid, type Clock, type Logger } from '../../base/index.ts';
import { Informer, type Client } from '../../client/index.ts';
import {
  AllocationKind,
  LeaseKind,
  NodeKind,
  type Allocation,
  type AllocationStatus,
  type NodeSpec,
  type Stored,
} from '../../openapi/index.ts';

export interface FakeAgentOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly spec?: Partial<NodeSpec>;
  /** What becomes of an allocation that is to run. Default: it runs and is healthy. Undefined: nothing yet. */
  /** Whether the tasks of one that shall stop go on running. */
  readonly holdsOn?: (allocation: Stored<Allocation>) => boolean;
  readonly behaviour?: (allocation: Stored<Allocation>) => AllocationStatus | undefined;
}

/** An agent without tasks: it registers a node, keeps its Lease, and says of each allocation what its behaviour is. */
export class FakeAgent {
  readonly name = uuid();
  readonly #options: FakeAgentOptions;
  #informer: Informer<Allocation> | undefined;
  #reporting: Promise<unknown> = Promise.resolve();

  constructor(options: FakeAgentOptions) {
    this.#options = options;
  }

  async start(): Promise<this> {
    const { client, clock, log, spec } = this.#options;
    await this.heartbeat();
    await client.create(NodeKind, { metadata: { name: this.name }, spec: { name: this.name.slice(0, 8), datacenter: 'dc1', nodePool: 'default', eligibility: 'eligible', ...spec } }); // prettier-ignore
    const status = {
      attributes: { 'cpu.arch': 'amd64', 'kernel.name': 'linux', 'driver.raw_exec': '1' },
      computedClass: 'fake',
      resources: {
        cpuMHz: 4000,
        cores: 4,
        memoryMB: 8192,
        diskMB: 100_000,
        networks: [{ device: 'lo', ip: '127.0.0.1', hostNetwork: 'default' }],
      },
      drivers: { raw_exec: { detected: true, healthy: true } },
    };
    await client.patch(NodeKind, this.name, undefined, { status }, { subresource: 'status' });
    this.#informer = new Informer({
      client,
      clock,
      log,
      kind: AllocationKind,
      fieldSelector: `spec.nodeName=${this.name}`,
    }).start();
    const look = (allocation: Stored<Allocation>): void => {
      this.#reporting = this.#reporting
        .then(() => this.#report(allocation))
        .catch((error: unknown) => log.warn('report failed', { error }));
    };
    this.#informer.on({ added: look, modified: look });
    return this;
  }

  async heartbeat(): Promise<void> {
    const annotations = { 'orch.dev/ttl': '60s' };
    await this.#options.client.create(LeaseKind, { metadata: { name: this.name, namespace: 'orch-node-lease', annotations }, spec: { holderIdentity: this.name } }); // prettier-ignore
  }

  /** Dies without a word: the Lease runs out (at once, here). */
  async die(): Promise<void> {
    await this.close();
    await this.#options.client.delete(LeaseKind, this.name, 'orch-node-lease');
  }

  async close(): Promise<void> {
    await this.#informer?.close();
    await this.#reporting;
  }

  async #report(allocation: Stored<Allocation>): Promise<void> {
    const { spec, status = {}, metadata } = allocation;
    const { behaviour = () => ({ phase: 'running', deploymentHealth: { healthy: true } }) } = this.#options;
    const ended = status.phase === 'complete' || status.phase === 'failed' || status.phase === 'lost';
    const isWanted = spec.desired === 'run' && metadata.deletionTimestamp === undefined;
    if (ended || (!isWanted && this.#options.holdsOn?.(allocation) === true)) return;
    const next: AllocationStatus | undefined = isWanted ? behaviour(allocation) : { phase: 'complete' };
    if (
      next === undefined ||
      (next.phase === status.phase && next.deploymentHealth?.healthy === status.deploymentHealth?.healthy)
    )
      return;
    await this.#options.client.patch(
      AllocationKind,
      metadata.name,
      metadata.namespace,
      { status: next },
      { subresource: 'status' },
    );
  }
}
