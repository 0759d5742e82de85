/**
 * The `template` blocks of one task: rendered before it starts, and again whenever what they read changes. Then the task is told as the
 * block says. What is on disk decides whether something changed, so an agent that comes back tells a task what it missed and
 * nothing else.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  describeError,
  durationOr,
  sleep,
  type Clock,
  type Duration,
  type Instant,
  type Logger,
  type Timer,
} from '../../base/index.ts';
import type { Template } from '../../openapi/index.ts';
import type { TaskDirs } from '../drivers/driver.ts';
import { parseEnvFile } from './env-file.ts';
import { placeInTask, readInTask, writeInTask } from './paths.ts';
import { Missing, renderTemplate, TemplateError, type TemplateSources } from './template/index.ts';

/** What a change asks of the task. */
export type TemplateChange =
  | { readonly mode: 'restart' }
  | { readonly mode: 'signal'; readonly signal: string }
  | { readonly mode: 'script'; readonly command: readonly string[]; readonly timeout: Duration; readonly failOnError: boolean };

export interface TemplateHost {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly dirs: TaskDirs;
  /** Blocks with paths and delimiters as the job has them; interpolated. */
  readonly templates: readonly Template[];
  readonly sources: Pick<TemplateSources, 'services' | 'variables'>;
  readonly env: () => Readonly<Record<string, string>>;
  /** Calls back when the sources may have changed. */
  readonly onChange: (listener: () => void) => () => void;
  /** Nothing is read any more. */
  readonly release: () => void;
  /** Tells people what is waited for. */
  readonly waiting: (what: string) => void;
  readonly changed: (change: TemplateChange) => void;
  /** It rendered before and does not any more; the task goes on with what it has. */
  readonly failed: (message: string) => void;
}

export class TaskTemplates {
  readonly #host: TemplateHost;
  #env: Record<string, string> = {};
  #unfollow: (() => void) | undefined;
  #dirtySince: Instant | undefined;
  #timer: Timer | undefined;
  #closed = false;
  #work: Promise<void> = Promise.resolve();
  #failure = '';
  /** Whether any of them reads what changes by itself; unknown until they were rendered. */
  #reads: boolean | undefined;

  constructor(host: TemplateHost) {
    this.#host = host;
  }

  /** Variables of env templates, as last rendered. */
  get env(): Readonly<Record<string, string>> {
    return this.#env;
  }

  /** Renders all, waiting for what is missing. Throws TemplateError or PathError for what can never be rendered. */
  async prepare(signal: AbortSignal): Promise<void> {
    for (let said = false; ;) {
      const heard = new AbortController();
      const unfollow = this.#host.onChange(() => heard.abort());
      try {
        await this.#renderAll('all');
        return;
      } catch (error) {
        if (!(error instanceof Missing)) throw error;
        if (!said) this.#host.waiting(error.message);
        said = true;
        await sleep(this.#host.clock, 2 ** 31 - 1, AbortSignal.any([signal, heard.signal]));
        if (signal.aborted) throw new TemplateError('the start was cancelled');
      } finally {
        unfollow();
      }
    }
  }

  /** From now on the task runs and is told of changes. */
  follow(): void {
    if (this.#unfollow !== undefined || this.#closed || this.#host.templates.length === 0) return;
    if (this.#reads === false || this.#host.templates.every((template) => template.once)) return;
    this.#unfollow = this.#host.onChange(() => this.#touched());
    // What happened between the last rendering and now.
    this.#touched();
  }

  /** The task does not run: what changes now is seen when it is started. */
  rest(): void {
    this.#unfollow?.();
    this.#unfollow = undefined;
    this.#timer?.cancel();
    this.#dirtySince = undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.rest();
    this.#host.release();
    await this.#work;
  }

  /** `wait`: changes are gathered until nothing comes for `min`, for `max` at most. */
  #touched(): void {
    const { clock, templates } = this.#host;
    const now = clock.now();
    this.#dirtySince ??= now;
    const min = Math.max(0, ...templates.map((template) => durationOr(template.wait?.min, 0)));
    const max = Math.max(min, ...templates.map((template) => durationOr(template.wait?.max, min * 4)));
    const quiet = Math.min(min, this.#dirtySince + max - now);
    this.#timer?.cancel();
    this.#timer = clock.after(Math.max(0, quiet), () => {
      this.#dirtySince = undefined;
      this.#work = this.#work.then(() => this.#rerender());
    });
  }

  async #rerender(): Promise<void> {
    if (this.#closed || this.#unfollow === undefined) return;
    let changed: readonly Template[];
    try {
      changed = await this.#renderAll('what reads');
      this.#failure = '';
    } catch (error) {
      if (error instanceof Missing) return;
      const message = describeError(error);
      if (message !== this.#failure) this.#host.failed(message);
      this.#failure = message;
      return;
    }
    const changes = changed.map(changeOf).filter((change) => change !== undefined);
    if (changes.length === 0) return;
    const splay = Math.max(...changed.map((template) => durationOr(template.splay, 5000)));
    const { clock, random } = this.#host;
    const over = new AbortController();
    this.#timer = { cancel: () => over.abort() };
    await sleep(clock, splay * random(), over.signal);
    if (this.#closed || this.#unfollow === undefined) return;
    // A restart reads everything anew: the rest need not be told.
    const restart = changes.find((change) => change.mode === 'restart');
    const told = new Set<string>();
    for (const change of restart === undefined ? changes : [restart]) {
      const key = JSON.stringify(change);
      if (!told.has(key)) this.#host.changed(change);
      told.add(key);
    }
  }

  /**
   * Gives the blocks whose file came out differently than it was. Nothing is written unless all can be rendered. While the task runs
   * only those count that read what changes by itself: another may hold the time of its rendering.
   */
  async #renderAll(which: 'all' | 'what reads'): Promise<readonly Template[]> {
    const { dirs, templates, sources, env } = this.#host;
    const rendered = templates.map((template) => {
      const { leftDelimiter: left, rightDelimiter: right, source } = template;
      const text = template.data ? template.data : readInTask(dirs, source ?? '');
      const options = {
        env: env(),
        ...sources,
        file: (path: string) => readInTask(dirs, path),
        ...(left !== undefined && { left }),
        ...(right !== undefined && { right }),
        strict: template.errorOnMissingKey === true,
      };
      return { template, ...renderTemplate(text, options) };
    });
    this.#reads = rendered.some(({ follows }) => follows);
    const variables: Record<string, string> = {};
    const changed: Template[] = [];
    for (const { template, follows, ...fresh } of rendered) {
      const current = await this.#onDisk(template);
      const text = which === 'what reads' && !follows && current !== undefined ? current : fresh.text;
      if (template.env) Object.assign(variables, parseEnvFile(text, template.destination ?? ''));
      if (current === text) continue;
      await writeInTask(dirs, template.destination ?? '', text, {
        mode: parseInt(template.perms || '0644', 8),
        ...(template.uid !== undefined && template.uid >= 0 && { uid: template.uid }),
        ...(template.gid !== undefined && template.gid >= 0 && { gid: template.gid }),
      });
      changed.push(template);
    }
    this.#env = variables;
    return changed;
  }

  async #onDisk({ destination = '' }: Template): Promise<string | undefined> {
    const { root, inside } = placeInTask(this.#host.dirs, destination);
    return readFile(join(root, inside), 'utf8').catch(() => undefined);
  }
}

function changeOf({ changeMode = 'restart', changeSignal, changeScript, once }: Template): TemplateChange | undefined {
  if (once) return undefined;
  switch (changeMode) {
    case 'noop':
      return undefined;
    case 'signal':
      return { mode: 'signal', signal: changeSignal ?? 'SIGHUP' };
    case 'script':
      return {
        mode: 'script',
        command: [changeScript?.command ?? '', ...(changeScript?.args ?? [])],
        timeout: durationOr(changeScript?.timeout, 5000),
        failOnError: changeScript?.failOnError === true,
      };
    default:
      return { mode: 'restart' };
  }
}
