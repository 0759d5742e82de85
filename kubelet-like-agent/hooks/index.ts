/**
 * What is done for a task around its run: artifacts are fetched and templates rendered before it starts, and templates are followed
 * while it runs. `paths.ts` is how files get into a task's folder, `template/` the language, `artifacts/` the sources and archives.
 */
import { describeError } from '../../base/index.ts';
import type { Artifact, TaskEvent } from '../../openapi/index.ts';
import { taskEvents } from '../task/events.ts';
import { ArtifactError, fetchArtifacts } from './artifacts/index.ts';
import { TaskTemplates, type TemplateHost } from './templates.ts';

export type { TemplateChange } from './templates.ts';

export interface HookHost extends Omit<TemplateHost, 'waiting' | 'failed'> {
  readonly artifacts: readonly Artifact[];
  /** The agent's own folder for this task, beside what it sees. */
  readonly work: string;
  readonly localFolders: readonly string[];
  readonly note: (event: TaskEvent) => void;
}

/** A task cannot be started for a reason that has an event of its own. */
export class HookError extends Error {
  override readonly name = 'HookError';
  readonly recoverable: boolean;
  readonly event: TaskEvent;
  constructor(event: TaskEvent, recoverable: boolean) {
    super(event.message ?? event.type);
    this.event = event;
    this.recoverable = recoverable;
  }
}

export class TaskHooks {
  readonly #host: HookHost;
  readonly #templates: TaskTemplates;

  constructor(host: HookHost) {
    this.#host = host;
    this.#templates = new TaskTemplates({
      ...host,
      waiting: (what) => host.note(taskEvents.template(host.clock.now(), `Missing: ${what}`)),
      failed: (message) => host.note(taskEvents.template(host.clock.now(), `Template failed: ${message}`)),
    });
  }

  get env(): Readonly<Record<string, string>> {
    return this.#templates.env;
  }

  /** Throws HookError. */
  async prepare(signal: AbortSignal): Promise<void> {
    const { artifacts, dirs, work, localFolders, clock, note, templates } = this.#host;
    if (artifacts.length > 0) {
      note(taskEvents.downloadingArtifacts(clock.now()));
      try {
        await fetchArtifacts({ artifacts, dirs, work, localFolders, signal });
      } catch (error) {
        const recoverable = !(error instanceof ArtifactError) || error.recoverable;
        throw new HookError(taskEvents.failedArtifact(clock.now(), describeError(error)), recoverable);
      }
    }
    if (templates.length === 0) return;
    try {
      await this.#templates.prepare(signal);
    } catch (error) {
      throw new HookError(taskEvents.template(clock.now(), `Template failed: ${describeError(error)}`), false);
    }
  }

  follow(): void {
    this.#templates.follow();
  }

  rest(): void {
    this.#templates.rest();
  }

  close(): Promise<void> {
    return this.#templates.close();
  }
}
