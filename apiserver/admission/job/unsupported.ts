import type { StatusCause } from '../../../base/index.ts';
import type { JobSpec, Network, Service, Task, TaskGroup } from '../../../openapi/index.ts';
import { collectFindings } from './findings.ts';

/**
 * What parses and is kept, but has nobody who acts on it yet. A job that needs one of these is refused with the sentence, never run
 * without it. Whoever builds one deletes its line.
 */
const jobFeatures: readonly Feature<JobSpec>[] = [
  ['multiregion', (job) => job.multiregion !== undefined, 'there is one region: multiregion deployments are not made'],
];

const groupFeatures: readonly Feature<TaskGroup>[] = [
  [
    'networks',
    (group) => hasNetwork(group, ({ mode = '' }) => !['', 'host', 'bridge', 'none'].includes(mode)),
    'network modes other than "host", "bridge" and "none" are not set up yet',
  ],
  [
    'networks',
    (group) => hasNetwork(group, ({ mode = '' }) => mode === 'none') && !runs(group, 'docker', 'exec', 'java'),
    'tasks of such drivers cannot be kept from the network',
  ],
  [
    'networks',
    (group) => hasNetwork(group, ({ mode = '' }) => !['', 'host', 'none'].includes(mode)) && !runs(group, 'docker'),
    'only docker tasks get a network of their own yet',
  ],
  [
    'networks',
    (group) => hasNetwork(group, ({ mode }) => mode === 'bridge') && (group.tasks?.length ?? 0) > 1,
    'tasks do not share a bridge network yet: with mode "bridge" a group can have one task',
  ],
  [
    'networks',
    (group) => hasNetwork(group, ({ dns }) => dns !== undefined) && !runs(group, 'docker'),
    'dns settings are applied to docker tasks only',
  ],
  [
    'networks',
    (group) => hasNetwork(group, ({ hostname }) => isSet(hostname)) && !runs(group, 'docker', 'exec', 'java'),
    'hostnames are given to docker, exec and java tasks only',
  ],
  ['volumes', (group) => group.volumes?.some(({ type }) => type === 'csi') === true, 'CSI volumes cannot be attached yet'],
  [
    'consul',
    (group) => isSet(group.consul?.namespace) || isSet(group.consul?.partition),
    'nothing is registered in Consul, so its namespaces and partitions have no effect',
  ],
  [
    'ephemeralDisk',
    (group) => group.ephemeralDisk?.migrate === true,
    'the data of an ephemeral disk is not moved to other nodes yet (migrate)',
  ],
];

const taskFeatures: readonly Feature<Task>[] = [
  ['vault', (task) => task.vault !== undefined, 'tasks get no Vault tokens yet'],
  ['consul', (task) => task.consul !== undefined, 'tasks get no Consul tokens yet'],
  ['csiPlugin', (task) => task.csiPlugin !== undefined, 'CSI plugins cannot run yet'],
  ['identities', (task) => hasAny(task.identities), 'tasks get no identities yet'],
  ['secrets', (task) => hasAny(task.secrets), 'secrets are not fetched yet'],
  ['schedule', (task) => task.schedule !== undefined, 'tasks do not follow a schedule yet'],
  ['kind', (task) => isSet(task.kind), 'tasks of a Consul Connect kind are not made yet'],
  [
    'resources.numa',
    (task) => isSet(task.resources?.numa?.affinity) && task.resources?.numa?.affinity !== 'none',
    'NUMA nodes are not looked at yet',
  ],
  [
    'volumeMounts',
    (task) => task.volumeMounts?.some(({ selinuxLabel }) => isSet(selinuxLabel)) === true,
    'SELinux labels are not applied yet',
  ],
];

const serviceFeatures: readonly Feature<Service>[] = [
  ['connect', (service) => service.connect !== undefined, 'Consul Connect is not set up yet'],
  ['identity', (service) => service.identity !== undefined, 'services get no identities yet'],
  [
    'checks',
    (service) => service.checks?.some(({ expose }) => expose === true) === true,
    'checks are not exposed through Consul Connect yet',
  ],
];

/** A field, whether the object needs it, and why that does not work. */
type Feature<T> = readonly [field: string, isNeeded: (owner: T) => boolean, because: string];

/** What the job needs that cannot be given yet: one finding for each field. */
export function unsupportedFeatures(spec: JobSpec): StatusCause[] {
  const causes: StatusCause[] = [];
  const look = <T>(features: readonly Feature<T>[], owner: T, ...steps: (string | number)[]): void => {
    for (const [field, isNeeded, because] of features) {
      if (isNeeded(owner))
        collectFindings('spec', causes)
          .at(...steps)
          .unsupported(field, because);
    }
  };
  look(jobFeatures, spec);
  spec.groups?.forEach((group, g) => {
    look(groupFeatures, group, 'groups', g);
    group.services?.forEach((service, s) => look(serviceFeatures, service, 'groups', g, 'services', s));
    group.tasks?.forEach((task, t) => {
      look(taskFeatures, task, 'groups', g, 'tasks', t);
      task.services?.forEach((service, s) => look(serviceFeatures, service, 'groups', g, 'tasks', t, 'services', s));
    });
  });
  return causes;
}

const hasAny = (list: readonly unknown[] | undefined): boolean => (list?.length ?? 0) > 0;
const isSet = (value: string | undefined): boolean => value !== undefined && value !== '';
const runs = (group: TaskGroup, ...drivers: string[]): boolean =>
  (group.tasks ?? []).every(({ driver = '' }) => drivers.includes(driver));
const hasNetwork = (group: TaskGroup, holds: (network: Network) => boolean): boolean => group.networks?.some(holds) === true;
