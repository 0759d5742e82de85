import type { ServiceRegistration } from '../../openapi/index.ts';
import type { Outbox } from '../status/outbox.ts';

interface Page {
  /** What shall be there; undefined: nothing. */
  wanted: ServiceRegistration | undefined;
  /** What the server is known to have; 'unknown' when it has something else. */
  known: ServiceRegistration | 'unknown' | undefined;
  readonly namespace: string;
  busy: boolean;
}

/** Keeps the ServiceRegistrations on the server equal to what the allocations of this node offer. */
export class ServiceBook {
  readonly #outbox: Outbox;
  readonly #pages = new Map<string, Page>();

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** What the server holds for this node, at start. What nobody wants by `settle` goes. */
  found(registrations: readonly ServiceRegistration[]): void {
    for (const object of registrations) {
      const name = object.metadata.name!;
      const page = this.#pages.get(name);
      if (page !== undefined) continue;
      this.#pages.set(name, { wanted: undefined, known: object, namespace: object.metadata.namespace ?? 'default', busy: false });
    }
  }

  /** The registrations of one allocation, all of them. */
  set(allocation: string, wanted: readonly ServiceRegistration[]): void {
    const names = new Set(wanted.map((r) => r.metadata.name!));
    for (const [name, page] of this.#pages) {
      const owner = page.wanted?.spec.allocation ?? (page.known !== 'unknown' ? page.known?.spec.allocation : undefined);
      if (owner !== allocation || names.has(name)) continue;
      page.wanted = undefined;
      this.#settle(name, page);
    }
    for (const object of wanted) {
      const name = object.metadata.name!;
      const page = this.#pages.get(name) ?? { wanted: undefined, known: undefined, namespace: object.metadata.namespace ?? 'default', busy: false }; // prettier-ignore
      page.wanted = object;
      this.#pages.set(name, page);
      this.#settle(name, page);
    }
  }

  /** Removes what belongs to none of these allocations. */
  settle(allocations: ReadonlySet<string>): void {
    for (const [name, page] of this.#pages) {
      const owner = page.wanted?.spec.allocation ?? (page.known !== 'unknown' ? page.known?.spec.allocation : undefined);
      if (owner !== undefined && allocations.has(owner)) continue;
      page.wanted = undefined;
      this.#settle(name, page);
    }
  }

  /** One write at a time per registration; what changed meanwhile follows when it is answered. */
  #settle(name: string, page: Page): void {
    if (page.busy) return;
    const { wanted, known, namespace } = page;
    const target = { apiVersion: 'orch.dev/v1', kind: 'ServiceRegistration', namespace, name };
    const key = `service/${namespace}/${name}`;
    if (wanted === undefined) {
      if (known === undefined) {
        this.#pages.delete(name);
        return;
      }
      page.busy = true;
      this.#outbox.post({
        key,
        operation: { operation: 'delete', ...target },
        settled: ({ code }) =>
          this.#answered(name, page, code < 400 || code === 404 ? undefined : 'unknown', code >= 400 && code !== 404),
      });
    } else if (known === undefined) {
      page.busy = true;
      this.#outbox.post({
        key,
        operation: { operation: 'create', object: wanted },
        settled: ({ code }) =>
          this.#answered(name, page, code < 400 ? wanted : code === 409 ? 'unknown' : undefined, code >= 400 && code !== 409),
      });
    } else if (known === 'unknown' || JSON.stringify(known.spec) !== JSON.stringify(wanted.spec)) {
      page.busy = true;
      this.#outbox.post({
        key,
        operation: { operation: 'patch', ...target, patch: { spec: { task: null, meta: null, ...wanted.spec } } },
        settled: ({ code }) =>
          this.#answered(name, page, code === 404 ? undefined : { ...wanted, status: {} }, code >= 400 && code !== 404),
      });
    } else if (JSON.stringify(known.status) !== JSON.stringify(wanted.status)) {
      page.busy = true;
      this.#outbox.post({
        key,
        operation: {
          operation: 'patch',
          subresource: 'status',
          ...target,
          patch: { status: { checks: null, ...wanted.status } },
        },
        settled: ({ code }) => this.#answered(name, page, code === 404 ? undefined : wanted, code >= 400 && code !== 404),
      });
    }
  }

  /** `refused`: trying the same again would only be refused again. */
  #answered(name: string, page: Page, known: Page['known'], refused = false): void {
    page.busy = false;
    page.known = known;
    if (!refused) this.#settle(name, page);
  }
}
