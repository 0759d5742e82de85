import type {
  Affinity,
  Artifact,
  Check,
  CheckRestart,
  Constraint,
  Device,
  JobSpec,
  LogConfig,
  Network,
  Resources,
  ScalingPolicy,
  Service,
  Spread,
  Task,
  TaskGroup,
  Template,
  Vault,
  VolumeMount,
  VolumeRequest,
} from '../../../openapi/index.ts';
import { policiesOf } from './policies.ts';

/** Of a Job's metadata, what defaults and rules look at. */
export interface JobMeta {
  readonly name: string;
  readonly namespace: string;
}

/** What the operator of a server asks of every job. */
export interface JobPolicy {
  /** A job must say in which datacenters it runs; otherwise one that does not runs in all. */
  readonly requireDatacenters?: boolean;
}

/** The canonical form of a job: everything filled in. Canonical jobs come out unchanged. */
export function defaultJob(spec: JobSpec, meta: JobMeta, { requireDatacenters = false }: JobPolicy = {}): JobSpec {
  const type = spec.type ?? 'service';
  const policy = policiesOf(type);
  const id = spec.id ?? meta.name;
  const job: JobSpec = {
    region: 'global',
    priority: 50,
    allAtOnce: false,
    nodePool: 'default',
    stop: false,
    ...defined(spec),
    id,
    name: spec.name ?? id,
    type,
    datacenters: (spec.datacenters?.length ?? 0) === 0 && !requireDatacenters ? ['*'] : (spec.datacenters ?? []),
    ...placementDefaults(spec),
    ...(spec.update !== undefined || policy.update !== undefined
      ? { update: { ...policy.update, ...defined(spec.update) } }
      : {}),
    ...(spec.periodic && { periodic: { enabled: true, prohibitOverlap: false, timeZone: 'UTC', ...defined(spec.periodic) } }),
    ...(spec.parameterized && { parameterized: { payload: 'optional', ...defined(spec.parameterized) } }),
  };
  if (type === 'system' && spec.update === undefined) delete job.update; // only what was asked for
  return { ...job, ...(spec.groups && { groups: spec.groups.map((group) => defaultGroup(group, job)) }) };
}

function defaultGroup(group: TaskGroup, job: JobSpec): TaskGroup {
  const policy = policiesOf(job.type);
  const count = group.count ?? group.scaling?.min ?? 1;
  const result: TaskGroup = {
    ...defined(group),
    name: group.name,
    count,
    ...placementDefaults(group),
    restart: { ...policy.restart, ...defined(group.restart) },
    ephemeralDisk: { sticky: false, migrate: false, size: 300, ...defined(group.ephemeralDisk) },
    ...merged('reschedule', policy.reschedule, job.reschedule, group.reschedule),
    ...merged(
      'update',
      job.update === undefined && group.update === undefined ? undefined : policy.update,
      job.update,
      group.update,
    ),
    ...merged('migrate', policy.migrate, job.migrate, group.migrate),
    ...(group.networks && { networks: group.networks.map(defaultNetwork) }),
    ...(group.volumes && { volumes: group.volumes.map(defaultVolume) }),
    ...(group.disconnect && { disconnect: { replace: true, reconcile: 'best-score', ...defined(group.disconnect) } }),
    ...(group.scaling && { scaling: defaultScaling(group.scaling, count) }),
    ...(group.services && { services: group.services.map((service) => defaultService(service, `${job.name}-${group.name}`)) }),
  };
  return { ...result, ...(group.tasks && { tasks: group.tasks.map((task) => defaultTask(task, result, job)) }) };
}

/** Default, job and group, field by field; the group wins. Nothing when a type has no such policy and the group did not ask for one. */
function merged<K extends 'reschedule' | 'update' | 'migrate'>(
  name: K,
  policy: TaskGroup[K],
  job: TaskGroup[K],
  group: TaskGroup[K],
): Partial<Pick<TaskGroup, K>> {
  if (policy === undefined && group === undefined) return {};
  return { [name]: { ...policy, ...(policy && defined(job)), ...defined(group) } } as Partial<Pick<TaskGroup, K>>;
}

function defaultTask(task: Task, group: TaskGroup, job: JobSpec): Task {
  return {
    leader: false,
    killTimeout: '5s',
    shutdownDelay: '0s',
    ...defined(task),
    name: task.name,
    ...placementDefaults(task),
    resources: defaultResources(task.resources ?? {}),
    restart: { ...group.restart, ...defined(task.restart) },
    logs: defaultLogs(task.logs),
    ...(task.lifecycle && { lifecycle: { sidecar: false, ...defined(task.lifecycle) } }),
    ...(task.services && {
      services: task.services.map((service) => defaultService(service, `${job.name}-${group.name}-${task.name}`)),
    }),
    ...(task.templates && { templates: task.templates.map(defaultTemplate) }),
    ...(task.artifacts && { artifacts: task.artifacts.map(defaultArtifact) }),
    ...(task.volumeMounts && { volumeMounts: task.volumeMounts.map(defaultVolumeMount) }),
    ...(task.vault && { vault: defaultVault(task.vault) }),
    ...(task.scalings && { scalings: task.scalings.map((scaling) => ({ enabled: true, ...defined(scaling) })) }),
  };
}

/** A task that asks for whole cores gets no share of the others beside them. */
function defaultResources(resources: Resources): Resources {
  const cores = resources.cores ?? 0;
  return {
    memory: 300,
    ...defined(resources),
    cores,
    cpu: resources.cpu ?? (cores > 0 ? 0 : 100),
    ...(resources.networks && { networks: resources.networks.map(defaultNetwork) }),
    ...(resources.devices && { devices: resources.devices.map(defaultDevice) }),
  };
}

const defaultLogs = (logs: LogConfig | undefined): LogConfig => ({ maxFiles: 10, maxFileSize: 10, ...defined(logs) });

const defaultDevice = (device: Device): Device => ({ count: 1, ...defined(device), ...placementDefaults(device) });

const defaultNetwork = (network: Network): Network => ({
  ...defined(network),
  ...(network.ports && { ports: network.ports.map((port) => ({ hostNetwork: 'default', ...defined(port), label: port.label })) }),
});

const defaultVolume = (volume: VolumeRequest): VolumeRequest => ({
  type: 'host',
  readOnly: false,
  ...defined(volume),
  name: volume.name,
});

const defaultVolumeMount = (mount: VolumeMount): VolumeMount => ({
  readOnly: false,
  propagationMode: 'private',
  ...defined(mount),
});

const defaultScaling = (scaling: ScalingPolicy, count: number): ScalingPolicy => ({
  enabled: true,
  type: 'horizontal',
  min: count,
  ...defined(scaling),
});

function defaultService(service: Service, name: string): Service {
  const result: Service = {
    name,
    addressMode: 'auto',
    onUpdate: 'require_healthy',
    provider: 'nomad',
    enableTagOverride: false,
    ...defined(service),
    ...(service.checkRestart && { checkRestart: defaultCheckRestart(service.checkRestart) }),
  };
  return { ...result, ...(service.checks && { checks: service.checks.map((check) => defaultCheck(check, result)) }) };
}

function defaultCheck(check: Check, service: Service): Check {
  const checkRestart = check.checkRestart ?? service.checkRestart;
  return {
    name: `service: "${service.name}" check`,
    ...(service.onUpdate !== undefined && { onUpdate: service.onUpdate }),
    ...defined(check),
    ...(checkRestart && { checkRestart: defaultCheckRestart({ ...defined(service.checkRestart), ...defined(checkRestart) }) }),
  };
}

const defaultCheckRestart = (restart: CheckRestart): CheckRestart => ({
  limit: 0,
  grace: '1s',
  ignoreWarnings: false,
  ...defined(restart),
});

function defaultTemplate(template: Template): Template {
  const result: Template = {
    changeMode: 'restart',
    splay: '5s',
    perms: '0644',
    leftDelimiter: '{{',
    rightDelimiter: '}}',
    env: false,
    once: false,
    errorOnMissingKey: false,
    ...defined(template),
    ...(template.changeScript && {
      changeScript: { timeout: '5s', failOnError: false, runOnFirstRender: false, ...defined(template.changeScript) },
    }),
  };
  return template.changeSignal === undefined ? result : { ...result, changeSignal: template.changeSignal.toUpperCase() };
}

function defaultArtifact(artifact: Artifact): Artifact {
  const mode = artifact.mode ?? 'any';
  const file = artifact.source?.split('?')[0]?.split('/').at(-1) ?? '';
  return {
    insecure: false,
    chown: false,
    destination: mode === 'file' ? `local/${file}` : 'local/',
    ...defined(artifact),
    mode,
  };
}

function defaultVault(vault: Vault): Vault {
  const result: Vault = { env: true, disableFile: false, changeMode: 'restart', allowTokenExpiration: false, ...defined(vault) };
  return vault.changeSignal === undefined ? result : { ...result, changeSignal: vault.changeSignal.toUpperCase() };
}

interface Placement {
  constraints?: Constraint[];
  affinities?: Affinity[];
  spreads?: Spread[];
}

function placementDefaults(owner: Placement): Placement {
  return {
    ...(owner.constraints && { constraints: owner.constraints.map((one) => ({ operator: '=', ...defined(one) })) }),
    ...(owner.affinities && { affinities: owner.affinities.map((one) => ({ operator: '=', weight: 50, ...defined(one) })) }),
    ...(owner.spreads && { spreads: owner.spreads.map((one) => ({ weight: 50, ...defined(one) })) }),
  };
}

/** The fields that are there: `undefined` must not hide a default. */
function defined<T extends object>(value: T | undefined): Partial<T> {
  if (value === undefined) return {};
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Partial<T>;
}
