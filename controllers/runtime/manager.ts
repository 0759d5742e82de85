import { setMaxListeners } from 'node:events';
import type { Clock, Duration, Logger } from '../../base/index.ts';
import type { Informers } from '../../client/index.ts';
import { electionLoop, EventRecorder, type Client, type Term } from '../../client/index.ts';
import { type Controller, type ControllerMetrics } from './controller.ts';
import { readerOf } from './reader.ts';

/** What is led by one leader. */
export interface Part {
  /** The name of its Lease. */
  readonly lease: string;
  /** Who it is in Events. */
  readonly component: string;
  lead(host: Host, term: Term, stop: AbortSignal): Promise<void>;
  /** What is done while standing by, so that a new leader starts with warm caches. */
  prepare(host: Host): void;
}

export interface Host {
  readonly client: Client;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ControllerMetrics;
  /** Names the process; for people. */
  readonly identity: string;
  /** How long a leader's Lease outlives its last renewal. */
  readonly leaseTtl: Duration;
}

/** Controllers that share a leader. */
export function partOf(lease: string, controllers: readonly Controller[]): Part {
  const kinds = new Set(
    controllers.flatMap(({ primary, reads, indexes }) => [primary, ...reads.map((r) => r.kind), ...indexes.map((i) => i.kind)]),
  );
  return {
    lease,
    component: lease,
    prepare({ informers }) {
      for (const kind of kinds) informers.of(kind);
      for (const { indexes } of controllers) {
        for (const index of indexes) informers.of(index.kind).addIndex(index.name, (object) => index.valuesOf(object));
      }
    },
    async lead(host, term, stop) {
      const { informers, clock, log, metrics, identity } = host;
      setMaxListeners(0, stop); // each of the controllers listens
      await Promise.race([Promise.all([...kinds].map((kind) => informers.of(kind).synced)), aborted(stop)]);
      if (stop.aborted) return;
      const events = new EventRecorder({ client: term.client, clock, log, component: lease, instance: identity });
      const read = readerOf(informers);
      const environment = { client: term.client, informers, read, clock, log, events, metrics, stop, lost: term.signal };
      await Promise.all(controllers.map((controller) => controller.run(environment)));
      await events.close();
    },
  };
}

/** Runs parts, each when it is elected, until it is closed. */
export class Manager {
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(host: Host, parts: readonly Part[]) {
    setMaxListeners(0, this.#stop.signal);
    for (const part of parts) part.prepare(host);
    this.#running = Promise.all(parts.map((part) => this.#run(host, part)));
  }

  /** Finishes the work at hand and gives leadership away. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(host: Host, part: Part): Promise<void> {
    const { client, clock, log, identity, leaseTtl: ttl, metrics } = host;
    const stopped = this.#stop.signal;
    await electionLoop({ client, clock, log, name: part.lease, identity, ttl }, stopped, async (term) => {
      metrics.leading(part.lease, true);
      const stop = AbortSignal.any([stopped, term.signal]);
      setMaxListeners(0, stop);
      try {
        await part.lead(host, term, stop);
      } finally {
        metrics.leading(part.lease, false);
      }
    });
  }
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
