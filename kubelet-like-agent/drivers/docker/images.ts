import { readFile } from 'node:fs/promises';
import { describeError, type Clock, type Duration, type Logger, type Timer } from '../../../base/index.ts';
import { DriverError } from '../driver.ts';
import { EngineUnreachable, jsonLines, reasonOf, statusOf, type Engine } from './engine.ts';
import type { DockerConfig } from './config.ts';

export interface ImagesOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether images that we pulled are removed `delay` after their last use. */
  readonly gc: { readonly enabled: boolean; readonly delay: Duration };
  /** A `config.json` as `docker login` writes it. */
  readonly authFile?: string;
}

export interface Image {
  readonly id: string;
  readonly digest?: string;
  /** Whether it came to the machine for us. */
  readonly pulled: boolean;
}

export interface PullOptions {
  readonly auth: DockerConfig['auth'];
  readonly forcePull: boolean;
  readonly timeout: Duration;
  readonly report: (message: string, details?: Record<string, string>) => void;
  readonly signal: AbortSignal;
}

/** The images of tasks: found or pulled, one pull at a time per image, and removed again when nobody uses them. */
export class Images {
  readonly #options: ImagesOptions;
  readonly #pulls = new Map<string, Promise<void>>();
  readonly #users = new Map<string, number>();
  /** By id, the name it was pulled under. */
  readonly #ours = new Map<string, string>();
  readonly #doomed = new Map<string, Timer>();

  constructor(options: ImagesOptions) {
    this.#options = options;
  }

  /** Makes sure that an image is there, and counts a user of it: `release` must follow. */
  async acquire(name: string, options: PullOptions): Promise<Image> {
    const found = options.forcePull ? undefined : await this.#inspect(name, options.signal);
    if (found === undefined) {
      options.report('Downloading image', { image: name });
      await this.#pullOnce(name, options);
    }
    const image = found ?? (await this.#inspect(name, options.signal));
    if (image === undefined) throw new DriverError(`image ${name} was pulled and is gone`, { recoverable: true });
    if (found === undefined) this.#ours.set(image.id, name);
    const pulled = this.#ours.has(image.id);
    this.use(image.id, name, pulled);
    return { ...image, pulled };
  }

  /** Counts a user of an image that is there, as after a restart of the agent. */
  use(id: string, name: string, pulled: boolean): void {
    if (pulled) this.#ours.set(id, name);
    this.#users.set(id, (this.#users.get(id) ?? 0) + 1);
    this.#doomed.get(id)?.cancel();
    this.#doomed.delete(id);
  }

  release(id: string): void {
    const { clock, gc } = this.#options;
    const users = (this.#users.get(id) ?? 0) - 1;
    if (users > 0) {
      this.#users.set(id, users);
      return;
    }
    this.#users.delete(id);
    if (gc.enabled && this.#ours.has(id) && !this.#doomed.has(id))
      this.#doomed.set(
        id,
        clock.after(gc.delay, () => void this.#remove(id)),
      );
  }

  async #remove(id: string): Promise<void> {
    const { engine, log } = this.#options;
    const name = this.#ours.get(id);
    this.#doomed.delete(id);
    if (name === undefined || this.#users.has(id)) return;
    this.#ours.delete(id);
    try {
      await engine.call((docker, abortSignal) => docker.getImage(name).remove({ abortSignal }));
      log.info('image removed', { image: name });
    } catch (error) {
      // Somebody else's container uses it: it is theirs now.
      if (statusOf(error) !== 404) log.debug('image kept', { image: name, error: describeError(error) });
    }
  }

  async #inspect(name: string, signal: AbortSignal): Promise<{ id: string; digest?: string } | undefined> {
    try {
      const info = await this.#options.engine.call((docker) => docker.getImage(name).inspect(), {
        signal,
      });
      return { id: info.Id, digest: (info.RepoDigests ?? [])[0] ?? info.Id };
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  async #pullOnce(name: string, options: PullOptions): Promise<void> {
    let pull = this.#pulls.get(name);
    if (pull === undefined) {
      // Others may wait for it, so it does not end with the one that began it.
      pull = this.#pull(name, options).finally(() => this.#pulls.delete(name));
      this.#pulls.set(name, pull);
    }
    const aborted = new Promise<never>((_, reject) => {
      const abort = (): void => reject(new DriverError('the start was cancelled', { recoverable: true }));
      options.signal.addEventListener('abort', abort, { once: true });
      if (options.signal.aborted) abort();
    });
    await Promise.race([pull, aborted]);
  }

  async #pull(name: string, { auth, timeout }: PullOptions): Promise<void> {
    try {
      const authconfig = auth ?? (await this.#authFor(name));
      const ask = async (docker: Parameters<Parameters<Engine['call']>[0]>[0], abortSignal: AbortSignal): Promise<void> => {
        const stream = await docker.pull(name, { abortSignal, ...(authconfig === undefined ? {} : { authconfig }) });
        for await (const line of jsonLines(stream)) {
          const { error } = line as { error?: string };
          if (error !== undefined) throw new Error(error);
        }
      };
      await this.#options.engine.call(ask, { timeout });
    } catch (cause) {
      if (cause instanceof EngineUnreachable) throw cause;
      const reason = reasonOf(cause);
      // A name that does not exist will not exist on the next try either; a registry that is away may be back.
      const missing = statusOf(cause) === 404 || /not found|does not exist|manifest unknown|invalid reference/i.test(reason);
      throw new DriverError(`Failed to pull \`${name}\`: ${reason}`, { recoverable: !missing });
    }
  }

  async #authFor(name: string): Promise<{ username: string; password: string; serveraddress: string } | undefined> {
    const { authFile } = this.#options;
    if (authFile === undefined) return undefined;
    const { auths = {} } = JSON.parse(await readFile(authFile, 'utf8')) as { auths?: Record<string, { auth?: string }> };
    const first = name.split('/')[0]!;
    const registry = name.includes('/') && /[.:]|^localhost$/.test(first) ? first : 'https://index.docker.io/v1/';
    const encoded = auths[registry]?.auth ?? auths[`https://${registry}`]?.auth;
    if (encoded === undefined) return undefined;
    const [username = '', ...password] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
    return { username, password: password.join(':'), serveraddress: registry };
  }
}
