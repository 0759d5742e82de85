import { Counter, Gauge, Histogram, Registry as MetricsRegistry } from 'prom-client';
import type { ApiKind } from '../registry/kinds.ts';
import type { Caches } from '../registry/caches.ts';

/** What a request was, in the labels of Kubernetes. */
export interface RequestLabels {
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly scope: string;
}

/** The server's metrics, under Kubernetes' names where it has them. */
export class Metrics {
  readonly registry: MetricsRegistry;
  readonly #requests: Counter;
  readonly #durations: Histogram;
  readonly #inflight: Gauge;
  readonly #long: Gauge;
  readonly #watchEvents: Counter;
  readonly #terminated: Counter;
  readonly #refused: Counter;

  constructor(registry = new MetricsRegistry()) {
    this.registry = registry;
    const labels = ['verb', 'group', 'version', 'resource', 'subresource', 'scope'];
    const registers = [registry];
    this.#requests = new Counter({ name: 'apiserver_request_total', help: 'Requests by verb, resource and code.', labelNames: [...labels, 'code'], registers }); // prettier-ignore
    this.#durations = new Histogram({
      name: 'apiserver_request_duration_seconds',
      help: 'How long requests took, watches aside.',
      labelNames: labels,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    });
    this.#inflight = new Gauge({ name: 'apiserver_current_inflight_requests', help: 'Requests under way, watches aside.', labelNames: ['request_kind'], registers }); // prettier-ignore
    this.#inflight.set({ request_kind: 'readOnly' }, 0);
    this.#inflight.set({ request_kind: 'mutating' }, 0);
    this.#long = new Gauge({ name: 'apiserver_longrunning_requests', help: 'Watches and streams that are open.', labelNames: labels, registers }); // prettier-ignore
    this.#terminated = new Counter({ name: 'apiserver_terminated_watchers_total', help: 'Watches closed because their reader was too slow.', labelNames: ['group', 'version', 'resource'], registers }); // prettier-ignore
    this.#refused = new Counter({ name: 'apiserver_dropped_requests_total', help: 'Requests refused because too many were under way.', labelNames: ['request_kind'], registers }); // prettier-ignore
    this.#watchEvents = new Counter({ name: 'apiserver_watch_events_total', help: 'Events sent to watchers.', labelNames: ['group', 'version', 'kind'], registers }); // prettier-ignore
    new Gauge({ name: 'process_start_time_seconds', help: 'When the process started.', registers }).set(Math.round(performance.timeOrigin / 1000)); // prettier-ignore
    new Gauge({ name: 'process_resident_memory_bytes', help: 'Resident memory.', registers, collect() { this.set(process.memoryUsage.rss()); } }); // prettier-ignore
    new Gauge({ name: 'process_cpu_seconds_total', help: 'CPU time, user and system.', registers, collect() { const { user, system } = process.cpuUsage(); this.set((user + system) / 1e6); } }); // prettier-ignore
  }

  /** Shows what the watch caches hold. */
  observe(caches: Caches): void {
    const registers = [this.registry];
    const perKind = (name: string, help: string, read: (cache: ReturnType<Caches['of']>) => number): Gauge =>
      new Gauge({
        name,
        help,
        labelNames: ['group', 'version', 'resource'],
        registers,
        collect() {
          this.reset(); // kinds come and go
          for (const cache of caches.all()) {
            const { group, version, plural } = cache.kind;
            this.set({ group, version, resource: plural }, read(cache));
          }
        },
      });
    new Gauge({
      name: 'apiserver_storage_objects',
      help: 'Objects of the kind.',
      labelNames: ['resource'],
      registers,
      collect() {
        this.reset();
        for (const cache of caches.all()) this.set({ resource: cache.kind.resource }, cache.size);
      },
    });
    perKind('apiserver_registered_watchers', 'Watches on the kind.', (cache) => cache.watchers);
    perKind('apiserver_watch_cache_events', 'Changes kept for watches that resume.', (cache) => cache.recentChanges);
    perKind(
      'apiserver_watch_cache_resource_version',
      'The store revision that the cache has reached.',
      (cache) => cache.revision,
    );
  }

  begin(mutating: boolean): void {
    this.#inflight.inc({ request_kind: mutating ? 'mutating' : 'readOnly' });
  }

  end(mutating: boolean): void {
    this.#inflight.dec({ request_kind: mutating ? 'mutating' : 'readOnly' });
  }

  request(labels: RequestLabels, code: number, seconds: number | undefined): void {
    this.#requests.inc({ ...labels, code: String(code) });
    if (seconds !== undefined) this.#durations.observe({ ...labels }, seconds);
  }

  /** A watch or stream began; returns how to say that it ended. */
  longRunning(labels: RequestLabels): () => void {
    this.#long.inc({ ...labels });
    return () => this.#long.dec({ ...labels });
  }

  terminated({ group, version, plural }: ApiKind): void {
    this.#terminated.inc({ group, version, resource: plural });
  }

  refused(mutating: boolean): void {
    this.#refused.inc({ request_kind: mutating ? 'mutating' : 'readOnly' });
  }

  watchEvents(kind: ApiKind, events: number): void {
    this.#watchEvents.inc({ group: kind.group, version: kind.version, kind: kind.kind }, events);
  }
}
