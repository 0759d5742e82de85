/**
 * Keeps the node known to the cluster: its Node object, the address and token of its agent, and the heartbeat. One loop; when
 * the server cannot be reached the tasks go on and the loop tries again.
 *
 *     register ──► beat (every ttl/3) ──► beat …
 *        ▲           │ lease or Node gone, or first answer after a silence
 *        └───────────┘
 *
 * A Node that somebody deleted while its agent runs is there again at once: the machine and its tasks still are.
 */
import { backoff, describeError, isReason, sleep, toTimestamp, type Clock, type Instant, type Logger } from '../../base/index.ts';
import { Informer, type Client } from '../../client/index.ts';
import { LeaseKind, NodeKind, objectPath, type Lease, type Node, type NodeStatus } from '../../openapi/index.ts';
import type { AgentConfig } from '../config.ts';
import { configuredSpec, specPatch, statusPatch } from './node-object.ts';

export const HEARTBEAT_NAMESPACE = 'orch-node-lease';

export interface RegistrarOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly nodeId: string;
  readonly hostname: string;
  /** As it is now: its metadata may be changed while the agent runs. */
  readonly config: () => AgentConfig;
  /** The facts as of now. */
  readonly status: () => NodeStatus;
  /** Where the API server reaches the agent, and what it must show. */
  readonly endpoint: { readonly address: string; readonly token: string };
  /** The server answered after it had not. */
  readonly onContact: () => void;
  /** It did not answer, since then. */
  readonly onSilence: (since: Instant) => void;
}

const RETRY = { base: 500, max: 15_000 };

export class Registrar {
  readonly #options: RegistrarOptions;
  readonly #closing = new AbortController();
  /** Aborted to wake the loop before its time. */
  #nap = new AbortController();
  #loop: Promise<void> | undefined;
  readonly #self: Informer<Node>;
  #registered = false;
  /** Who waits until the server has been told everything. */
  #waiting: (() => void)[] = [];
  #lastContact: Instant;
  #firstRegistration: () => void = () => undefined;
  /** Resolves when the node was registered for the first time. */
  readonly registered: Promise<void>;

  constructor(options: RegistrarOptions) {
    this.#options = options;
    this.#lastContact = options.clock.now();
    const { client, clock, log, nodeId } = options;
    this.#self = new Informer({ client, kind: NodeKind, clock, log, fieldSelector: `metadata.name=${nodeId}` });
    this.#self.on({
      deleted: () => {
        log.warn('the node was deleted while its agent runs, registering again', { node: nodeId });
        this.#registerAgain();
      },
    });
    this.registered = new Promise((resolve) => (this.#firstRegistration = resolve));
  }

  start(): this {
    this.#loop ??= this.#registrarLoop();
    return this;
  }

  /** Facts changed (a driver came or went): tell the server now. */
  factsChanged(): void {
    this.#registerAgain();
  }

  /** Facts changed; resolves once the server knows them. */
  async told(): Promise<void> {
    const told = new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#registerAgain();
    await told;
  }

  /** `leave`: the node goes for good, so it need not be waited for. */
  async close(leave: boolean): Promise<void> {
    this.#closing.abort();
    this.#nap.abort();
    await this.#self.close();
    await this.#loop;
    if (!leave) return;
    const { client, nodeId, log } = this.#options;
    const signal = AbortSignal.timeout(2000);
    await client.delete(LeaseKind, nodeId, HEARTBEAT_NAMESPACE, { signal }).catch((error: unknown) => {
      log.debug('could not give up the heartbeat', { error: describeError(error) });
    });
  }

  #registerAgain(): void {
    this.#registered = false;
    this.#nap.abort();
  }

  async #registrarLoop(): Promise<void> {
    const { clock, log, random } = this.#options;
    const ttl = this.#options.config().heartbeatTtlSeconds;
    const signal = this.#closing.signal;
    let failures = 0;
    let said: string | undefined;
    while (!signal.aborted) {
      let wait = (ttl * 1000) / 3;
      try {
        if (!this.#registered) await this.#register(signal);
        else if (!(await this.#renew(signal))) {
          log.warn('the heartbeat had expired, registering again');
          await this.#register(signal);
        }
        this.#lastContact = clock.now();
        if (failures > 0) {
          log.info('the server answers again', { after: `${failures} failures` });
          this.#options.onContact();
        }
        failures = 0;
        said = undefined;
      } catch (error) {
        if (signal.aborted) return;
        failures++;
        // After a silence the server may be another one, or have given us up: say everything again.
        this.#registered = false;
        wait = backoff(failures - 1, RETRY.base, Math.min(RETRY.max, wait), random);
        // Once for each thing that is wrong, not for each time that we meet it.
        const because = describeError(error);
        log[because === said ? 'debug' : 'warn']('cannot reach the server; tasks keep running', { failures, error: because });
        said = because;
        this.#options.onSilence(this.#lastContact);
      }
      this.#nap = new AbortController();
      if (!this.#registered && failures === 0) continue;
      await sleep(clock, wait, AbortSignal.any([signal, this.#nap.signal]));
    }
  }

  async #register(signal: AbortSignal): Promise<void> {
    const { client, nodeId, hostname, log, endpoint } = this.#options;
    // Set first: a change of facts while this runs must lead to another round.
    this.#registered = true;
    const waiting = this.#waiting.length;
    const config = this.#options.config();
    const wanted = this.#options.status();
    let node = await client.find(NodeKind, nodeId, undefined, signal);
    if (node === undefined) {
      const spec = { ...configuredSpec(config, hostname), eligibility: 'eligible' as const };
      try {
        node = await client.create(NodeKind, { metadata: { name: nodeId }, spec }, { signal });
        log.info('node registered', { node: nodeId, name: spec.name });
      } catch (error) {
        if (!isReason(error, 'AlreadyExists')) throw error;
        node = await client.get(NodeKind, nodeId, undefined, signal);
      }
    }
    const spec = specPatch(node, config, hostname);
    if (spec !== undefined) await client.patch(NodeKind, nodeId, undefined, spec, { signal });
    await client.json('PUT', `${objectPath(NodeKind, nodeId)}/endpoint`, { body: endpoint, signal });
    const status = statusPatch(node.status, wanted);
    if (status !== undefined) await client.patch(NodeKind, nodeId, undefined, status, { subresource: 'status', signal });
    // Last: whoever sees the heartbeat finds a node that is complete.
    if (!(await this.#renew(signal))) await this.#acquire(signal);
    this.#firstRegistration();
    for (const told of this.#waiting.splice(0, waiting)) told();
    this.#self.start();
  }

  /** False when there is no lease to renew. */
  async #renew(signal: AbortSignal): Promise<boolean> {
    const { client, nodeId, clock } = this.#options;
    try {
      await client.patch(LeaseKind, nodeId, HEARTBEAT_NAMESPACE, { spec: { renewTime: toTimestamp(clock.now()) } }, { signal });
      return true;
    } catch (error) {
      if (isReason(error, 'NotFound')) return false;
      throw error;
    }
  }

  async #acquire(signal: AbortSignal): Promise<void> {
    const { client, nodeId, clock } = this.#options;
    const ttl = this.#options.config().heartbeatTtlSeconds;
    const now = toTimestamp(clock.now());
    const lease: Lease = {
      metadata: {
        name: nodeId,
        namespace: HEARTBEAT_NAMESPACE,
        annotations: { 'orch.dev/ttl': `${ttl}s` },
      },
      spec: { holderIdentity: nodeId, leaseDurationSeconds: ttl, acquireTime: now, renewTime: now },
    };
    try {
      await client.create(LeaseKind, lease, { signal });
    } catch (error) {
      if (!isReason(error, 'AlreadyExists')) throw error;
    }
  }
}
