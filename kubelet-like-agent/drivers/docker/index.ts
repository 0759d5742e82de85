import type Docker from 'dockerode';
import { describeError, durationOr, type Clock, type Duration, type Logger } from '../../../base/index.ts';
import type { DriverInfo } from '../../../openapi/index.ts';
import { DriverError, type Driver, type Json, type TaskStart } from '../driver.ts';
import { coreMHz } from '../process/processes.ts';
import { defaultPolicy, readConfig, validateConfig, type DockerConfig, type DockerPolicy } from './config.ts';
import { containerName, containerOptions, labels } from './container.ts';
import { Engine, EngineUnreachable, statusOf } from './engine.ts';
import { Images, type Image } from './images.ts';
import { ContainerRun, removeContainer, toDriverError, type ContainerContext, type ContainerState } from './run.ts';
import { resolveBinds } from './volumes.ts';

/**
 * docker: one container per task, `<task>-<allocation id>`, through the engine's API.
 *
 * config.ts says what a job may ask for and what the node permits; container.ts turns that into the engine's words (pure); run.ts
 * is a container that was started; engine.ts the connection that all share; collect.ts brings the output into the task's files.
 */
export interface DockerOptions extends Partial<DockerPolicy> {
  readonly endpoint?: string;
  readonly imageGC?: boolean;
  readonly imageDelay?: Duration;
  readonly authFile?: string;
  /** False: the engine's log driver is all there is. */
  readonly collectLogs?: boolean;
  /** False: ended containers are kept until their allocation is forgotten. */
  readonly removeContainers?: boolean;
}

const IMAGE_DELAY = 180_000;
const PULL_TIMEOUT = 300_000;
const FINGERPRINT_TIMEOUT = 5000;

export function dockerDriver({
  clock,
  log,
  ...options
}: DockerOptions & { readonly clock: Clock; readonly log: Logger }): Driver {
  const policy: DockerPolicy = { ...defaultPolicy, ...options };
  const engine = new Engine({ clock, log, ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }) });
  const images = new Images({
    engine,
    clock,
    log,
    gc: { enabled: options.imageGC ?? true, delay: options.imageDelay ?? IMAGE_DELAY },
    ...(options.authFile === undefined ? {} : { authFile: options.authFile }),
  });
  const contextOf = (task: TaskStart): ContainerContext => ({
    task,
    engine,
    images,
    clock,
    log,
    collectLogs: options.collectLogs ?? true,
    removeContainers: options.removeContainers ?? true,
  });
  let seen = false;

  return {
    name: 'docker',
    filesystem: 'image',

    async fingerprint() {
      try {
        const info = await engine.call((docker) => facts(docker, policy), {
          timeout: FINGERPRINT_TIMEOUT,
        });
        engine.report(true);
        seen = true;
        return info;
      } catch (error) {
        engine.report(false);
        log.debug('docker is not available', { error: describeError(error) });
        return { detected: seen, healthy: false, description: 'Failed to connect to docker daemon' };
      }
    },

    changed: (signal) => engine.changed(signal),

    validate: (config) => validateConfig(config, policy),

    async start(task) {
      const problems = validateConfig(task.config, policy);
      if (problems.length > 0) throw new DriverError(`config: ${problems.join('; ')}`, { recoverable: false });
      const config = readConfig(task.config);
      const binds = await resolveBinds(task, config, policy);
      const wanted = containerOptions({ task, config, policy, binds, coreMHz: coreMHz() });
      let image: Image | undefined;
      let container: string | undefined;
      try {
        image = await images.acquire(config.image, {
          auth: config.auth,
          forcePull: config.forcePull,
          timeout: durationOr(config.imagePullTimeout, PULL_TIMEOUT),
          report: task.report,
          signal: task.signal,
        });
        container = await create(engine, task, wanted, log);
        const id = container;
        await engine.call((docker, abortSignal) => docker.getContainer(id).start({ abortSignal }), { signal: task.signal });
        const info = await engine.call((docker, abortSignal) => docker.getContainer(id).inspect({ abortSignal }));
        return attach(stateOf(info, config, image), info, contextOf(task));
      } catch (cause) {
        if (container !== undefined) await removeContainer(engine, container).catch(() => undefined);
        if (image !== undefined) images.release(image.id);
        if (task.signal.aborted) throw new DriverError('the start was cancelled', { recoverable: true, cause });
        throw toDriverError(container === undefined ? 'failed to create the container' : 'failed to start the container', cause);
      }
    },

    async recover(state, task) {
      const known = state === null ? await findUnnoted(engine, task) : parseState(state);
      if (known === undefined) return undefined;
      images.use(known.imageId, known.image, known.pulled);
      try {
        const info = await engine.call((docker, abortSignal) => docker.getContainer(known.container).inspect({ abortSignal }));
        // Created and never started: the agent died in between, and the task has not begun.
        if (info.State.Status !== 'created') return attach(known, info, contextOf(task));
        await removeContainer(engine, known.container);
      } catch (error) {
        // Without an engine nothing is known; the run finds out when it is back.
        if (error instanceof EngineUnreachable) return attach(known, undefined, contextOf(task));
        if (statusOf(error) !== 404) throw toDriverError('failed to find the container', error);
      }
      images.release(known.imageId);
      return undefined;
    },

    async removeOrphans(nodeId, known) {
      const removed: string[] = [];
      try {
        const filters = { label: [`${labels.node}=${nodeId}`] };
        const found = await engine.call((docker, abortSignal) => docker.listContainers({ all: true, filters, abortSignal }));
        for (const { Id, Names, Labels } of found) {
          if (known.has(Labels[labels.alloc] ?? '')) continue;
          await removeContainer(engine, Id);
          removed.push((Names[0] ?? Id).replace(/^\//, ''));
        }
      } catch (error) {
        log.warn('containers that nobody wants could not be removed', { error: describeError(error) });
      }
      return removed;
    },
  };
}

const attach = (state: ContainerState, info: Docker.ContainerInspectInfo | undefined, context: ContainerContext): ContainerRun =>
  new ContainerRun(state, context, info === undefined ? undefined : addressOf(info));

function addressOf(info: Docker.ContainerInspectInfo): string | undefined {
  const { Networks } = info.NetworkSettings;
  return Object.values(Networks)[0]?.IPAddress || undefined;
}

const stateOf = (info: Docker.ContainerInspectInfo, config: DockerConfig, image: Image): ContainerState => ({
  container: info.Id,
  image: config.image,
  imageId: image.id,
  pulled: image.pulled,
  ...(image.digest === undefined ? {} : { digest: image.digest }),
  startedAt: Date.parse(info.State.StartedAt),
  tty: config.tty,
});

/** Creates the container. One of that name that an earlier start left behind is removed: it was never told of. */
async function create(engine: Engine, task: TaskStart, options: Docker.ContainerCreateOptions, log: Logger): Promise<string> {
  const { name, ...body } = options;
  // Told apart, or dockerode repeats the body, environment and all, in the URL.
  const ask = (): Promise<Docker.Container> =>
    engine.call(
      (docker, abortSignal) =>
        docker.createContainer({ _query: { name }, _body: body, abortSignal } as Docker.ContainerCreateOptions),
      { signal: task.signal },
    );
  try {
    return (await ask()).id;
  } catch (error) {
    if (statusOf(error) !== 409) throw error;
    const other = await engine.call((docker, abortSignal) => docker.getContainer(name!).inspect({ abortSignal }));
    if (other.Config.Labels[labels.alloc] !== task.allocId || other.Config.Labels[labels.task] !== task.task) {
      throw new DriverError(`a container named ${name} exists that is not of this task`, { recoverable: false });
    }
    log.warn('a container of an earlier start of the task is removed', {
      alloc: task.allocId,
      task: task.task,
      container: other.Id,
    });
    await removeContainer(engine, other.Id);
    return (await ask()).id;
  }
}

async function findUnnoted(engine: Engine, task: TaskStart): Promise<ContainerState | undefined> {
  try {
    const info = await engine.call((docker, abortSignal) => docker.getContainer(containerName(task)).inspect({ abortSignal }));
    if (info.Config.Labels[labels.alloc] !== task.allocId || info.State.Status === 'created') return undefined;
    const config = readConfig(task.config);
    return stateOf(info, config, { id: info.Image, pulled: false });
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw toDriverError('failed to look for a container of the task', error);
  }
}

async function facts(docker: Docker, policy: DockerPolicy): Promise<DriverInfo> {
  const version = await docker.version();
  const bridge: unknown = await docker
    .getNetwork('bridge')
    .inspect()
    .catch(() => undefined);
  const gateway = gatewayOf(bridge);
  return {
    detected: true,
    healthy: true,
    description: 'Healthy',
    attributes: {
      'driver.docker': '1',
      'driver.docker.version': version.Version,
      'driver.docker.os_type': version.Os,
      ...(gateway === undefined ? {} : { 'driver.docker.bridge_ip': gateway }),
      ...(policy.volumesEnabled && { 'driver.docker.volumes.enabled': '1' }),
      ...(policy.allowPrivileged && { 'driver.docker.privileged.enabled': '1' }),
      'driver.docker.runtimes': [...policy.allowRuntimes].sort().join(','),
    },
  };
}

/** The node's address on the engine's bridge; where the engine does not say it, it has taken the first one. */
function gatewayOf(bridge: unknown): string | undefined {
  const { Gateway, Subnet } =
    (bridge as { IPAM?: { Config?: { Gateway?: string; Subnet?: string }[] } } | undefined)?.IPAM?.Config?.[0] ?? {};
  return Gateway ?? Subnet?.replace(/\.0\/\d+$/, '.1');
}

function parseState(state: Json): ContainerState | undefined {
  if (typeof state !== 'object' || state === null || Array.isArray(state)) return undefined;
  const { container, image, imageId, pulled, startedAt, tty, digest } = state;
  if (typeof container !== 'string' || typeof image !== 'string' || typeof imageId !== 'string' || typeof startedAt !== 'number')
    return undefined;
  return {
    container,
    image,
    imageId,
    pulled: pulled === true,
    startedAt,
    tty: tty === true,
    ...(typeof digest === 'string' ? { digest } : {}),
  };
}
