import { parseDuration } from '../../../base/index.ts';
import { checkConfig, toBlocks, toFlag, toNumber, toText, toTextMap, toTexts, type DriverConfig, type Fields } from '../../../openapi/index.ts'; // prettier-ignore
import type { DockerOptions } from './index.ts';

const later = 'is not built in orch yet';

const fields: Fields = {
  endpoint: { type: 'text' },
  auth: { type: 'block', fields: { config: { type: 'text' }, helper: { type: 'refused', because: later } } },
  tls: { type: 'refused', because: later },
  gc: {
    type: 'block',
    fields: {
      image: { type: 'flag' },
      image_delay: { type: 'text' },
      container: { type: 'flag' },
      // Accepted as it is: what is left behind is removed at all times.
      dangling_containers: { type: 'block', fields: { enabled: { type: 'flag' }, dry_run: { type: 'refused', because: later }, period: { type: 'text' }, creation_grace: { type: 'text' } } }, // prettier-ignore
    },
  },
  volumes: { type: 'block', fields: { enabled: { type: 'flag' }, selinuxlabel: { type: 'text', oneOf: ['z', 'Z'] } } },
  allow_privileged: { type: 'flag' },
  allow_caps: { type: 'texts' },
  allow_runtimes: { type: 'texts' },
  allow_host_namespaces: { type: 'texts' },
  allow_devices: { type: 'texts' },
  pids_limit: { type: 'number' },
  disable_log_collection: { type: 'flag' },
  logging: { type: 'block', fields: { type: { type: 'text' }, driver: { type: 'text' }, config: { type: 'textMap' } } },
  extra_labels: { type: 'refused', because: later },
  pull_activity_timeout: { type: 'refused', because: later },
  infra_image: { type: 'refused', because: later },
  infra_image_pull_timeout: { type: 'refused', because: later },
  container_exists_attempts: { type: 'number' },
  nvidia_runtime: { type: 'refused', because: later },
  windows_allow_insecure_container_admin: { type: 'refused', because: 'is for Windows nodes' },
};

/** Reads `plugin "docker" { config { … } }`. Throws an Error that names every problem. */
export function readDockerPlugin(config: DriverConfig): DockerOptions {
  const problems = checkConfig(fields, config);
  const block = (key: string): DriverConfig => (config[key] === undefined ? {} : (toBlocks(config[key])?.[0] ?? {}));
  const [gc, volumes, auth, logging] = [block('gc'), block('volumes'), block('auth'), block('logging')];
  const delay = toText(gc['image_delay']);
  if (delay !== undefined && parseDuration(delay) === undefined) problems.push('gc.image_delay: must be a duration such as "3m"');
  const namespaces = toTexts(config['allow_host_namespaces']);
  const unknown = namespaces?.filter((name) => !['network', 'pid', 'ipc', 'uts'].includes(name)) ?? [];
  if (unknown.length > 0) problems.push(`allow_host_namespaces: there is no "${unknown[0]}", only network, pid, ipc, uts`);
  if (problems.length > 0) throw new Error(problems.map((problem) => `plugin "docker": ${problem}`).join('\n'));

  const options: { [K in keyof DockerOptions]: DockerOptions[K] | undefined } = {
    endpoint: toText(config['endpoint']),
    authFile: toText(auth['config']),
    imageGC: toFlag(gc['image']),
    imageDelay: delay === undefined ? undefined : parseDuration(delay),
    removeContainers: toFlag(gc['container']),
    volumesEnabled: toFlag(volumes['enabled']),
    selinuxLabel: toText(volumes['selinuxlabel']),
    allowPrivileged: toFlag(config['allow_privileged']),
    allowCaps: toTexts(config['allow_caps'])?.map((cap) => cap.toLowerCase().replace(/^cap_/, '')),
    allowRuntimes: toTexts(config['allow_runtimes']),
    allowHostNamespaces: namespaces,
    allowDevices: toTexts(config['allow_devices']),
    pidsLimit: toNumber(config['pids_limit']),
    collectLogs: toFlag(config['disable_log_collection']) === true ? false : undefined,
    logging:
      config['logging'] === undefined
        ? undefined
        : {
            type: toText(logging['type']) ?? toText(logging['driver']) ?? 'json-file',
            config: toTextMap(logging['config'] ?? {}) ?? {},
          },
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
