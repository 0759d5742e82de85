/**
 * Tells users what happened to an object, as core v1 Events. Recording never waits and never throws: an Event is a courtesy, and
 * one that cannot be written is dropped. The same thing said again about the same object raises `count` of the one Event.
 */
import { createHash } from 'node:crypto';
import { isReason, toTimestampSeconds, type Clock, type Logger } from '../../base/index.ts';
import { EventKind, type AnyObject, type Event, type Stored } from '../../openapi/index.ts';
import { TTL_ANNOTATION } from '../election/election.ts';
import type { Client } from '../rest/client.ts';

export interface EventRecorderOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** The part that reports, such as `job-controller`. */
  readonly component: string;
  /** The process that reports. */
  readonly instance?: string;
  /** The node it reports from. */
  readonly host?: string;
  /** How long the Event is kept after its last repeat. Default `1h`. */
  readonly ttl?: string;
}

export type EventType = 'Normal' | 'Warning';

/** Repeats are counted over this many different Events. */
const REMEMBERED = 1000;
/** Events that wait to be written; further ones are dropped. */
const WAITING = 1000;

interface Known {
  readonly event: Event;
  count: number;
  /** What the server has. */
  written: number;
}

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #known = new Map<string, Known>();
  readonly #waiting = new Set<Known>();
  readonly #closing = new AbortController();
  #writing: Promise<void> | undefined;
  #dropped = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** @example recorder.record(job, 'Warning', 'PlacementFailed', 'no node has the driver docker') */
  record(object: Stored<AnyObject>, type: EventType, reason: string, message: string): void {
    if (this.#closing.signal.aborted) return;
    const now = toTimestampSeconds(this.#options.clock.now());
    const id = createHash('sha256')
      .update(JSON.stringify([object.metadata.uid, type, reason, message]))
      .digest('hex')
      .slice(0, 16);
    let known = this.#known.get(id);
    if (known === undefined) {
      if (this.#waiting.size >= WAITING) {
        if (this.#dropped++ === 0)
          this.#options.log.warn('too many events, dropping some', { component: this.#options.component });
        return;
      }
      known = { event: this.#describe(object, type, reason, message, id, now), count: 0, written: 0 };
    }
    known.count++;
    known.event.count = known.count;
    known.event.lastTimestamp = now;
    this.#known.delete(id);
    this.#known.set(id, known);
    if (this.#known.size > REMEMBERED) this.#known.delete(this.#known.keys().next().value!);
    this.#waiting.add(known);
    this.#writing ??= this.#writeLoop();
  }

  /** Writes what waits, for at most `timeoutMs`. */
  async close(timeoutMs = 2000): Promise<void> {
    const { clock } = this.#options;
    const timer = clock.after(timeoutMs, () => this.#closing.abort());
    await this.#writing;
    timer.cancel();
    this.#closing.abort();
  }

  async #writeLoop(): Promise<void> {
    for (const known of this.#waiting) {
      if (this.#closing.signal.aborted) break;
      this.#waiting.delete(known);
      try {
        await this.#write(known);
      } catch (error) {
        this.#options.log.debug('cannot write event', { reason: known.event.reason, error });
      }
    }
    this.#waiting.clear();
    this.#dropped = 0;
    this.#writing = undefined;
  }

  async #write(known: Known): Promise<void> {
    const { client } = this.#options;
    const { signal } = this.#closing;
    const { name, namespace } = known.event.metadata;
    const count = known.count;
    if (known.written === 0) {
      try {
        await client.create(EventKind, known.event, { signal });
        known.written = count;
        return;
      } catch (error) {
        if (!isReason(error, 'AlreadyExists')) throw error;
        // Said by this component before it was restarted: go on counting from there.
        const stored = await client.find(EventKind, name!, namespace);
        known.count += stored?.count ?? 0;
        known.event.count = known.count;
      }
    }
    const patch = { count: known.count, lastTimestamp: known.event.lastTimestamp };
    try {
      await client.patch(EventKind, name!, namespace, patch, { signal });
      known.written = known.count;
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
      known.written = 0;
      await client.create(EventKind, known.event, { signal });
      known.written = known.count;
    }
  }

  #describe(object: Stored<AnyObject>, type: EventType, reason: string, message: string, id: string, now: string): Event {
    const { component, instance, host, ttl = '1h' } = this.#options;
    const { name, namespace, uid, resourceVersion } = object.metadata;
    return {
      metadata: { name: `${name}.${id}`, namespace: namespace ?? 'default', annotations: { [TTL_ANNOTATION]: ttl } },
      involvedObject: {
        apiVersion: object.apiVersion,
        kind: object.kind,
        name,
        uid,
        resourceVersion,
        ...(namespace !== undefined && { namespace }),
      },
      type,
      reason,
      message,
      source: { component, ...(host !== undefined && { host }) },
      reportingComponent: component,
      ...(instance !== undefined && { reportingInstance: instance }),
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
  }
}
