import type { JobSpec, Service, TaskGroup } from '../../../openapi/index.ts';
import type { Findings } from './findings.ts';

/**
 * What a service in a Consul Connect mesh needs of its group. Looked at before anything else, the first problem only, and told as a problem of the job: later
 * rules would judge tasks that are yet to be added for the mesh.
 */
export function validateConnect({ groups = [] }: JobSpec, findings: Findings): void {
  const connect = firstOf(groups, (group) => firstOf(group.services ?? [], (service) => connectProblem(group, service)));
  if (connect !== undefined) findings.invalid('', connect);
  const exposed = firstOf(groups, exposeProblem);
  if (exposed !== undefined) findings.invalid('', exposed);
}

function firstOf<T>(items: readonly T[], problem: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = problem(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

const quote = (text: string): string => JSON.stringify(text);

function connectProblem(group: TaskGroup, service: Service): string | undefined {
  const { networks = [], name } = group;
  const mode = networks[0]?.mode ?? '';
  if (service.connect?.sidecarService !== undefined) {
    if (networks.length !== 1)
      return `Consul Connect sidecars require exactly 1 network, found ${networks.length} in group ${quote(name)}`;
    if (mode !== 'bridge')
      return `Consul Connect sidecar requires bridge network, found ${quote(mode || 'host')} in group ${quote(name)}`;
  } else if (service.connect?.native === true) {
    if (!service.task) return `Consul Connect Native service ${quote(service.name ?? '')} requires task name`;
    if (!(group.tasks ?? []).some((task) => task.name === service.task))
      return `task ${service.task} named by Consul Connect Native service ${name}->${service.name} does not exist`;
  } else if (service.connect?.gateway !== undefined) {
    if (networks.length !== 1)
      return `Consul Connect gateways require exactly 1 network, found ${networks.length} in group ${quote(name)}`;
    if (mode !== 'bridge' && mode !== 'host')
      return 'Consul Connect Gateway service requires Task Group with network mode of type "bridge" or "host"';
  }
  return undefined;
}

function exposeProblem(group: TaskGroup): string | undefined {
  const { name, networks = [], services = [] } = group;
  const exposing = services.flatMap((service) =>
    (service.checks ?? []).filter(({ expose }) => expose === true).map((check) => ({ service, check })),
  );
  if (exposing.length > 0) {
    if (networks.length !== 1) return `group ${quote(name)} must specify one bridge network for exposing service check(s)`;
    if (networks[0]!.mode !== 'bridge') return `group ${quote(name)} must use bridge network for exposing service check(s)`;
  }
  for (const { service, check } of exposing) {
    if (service.connect?.sidecarService === undefined)
      return `exposed service check ${name}->${service.name}->${check.name} requires use of sidecar_proxy`;
  }
  for (const task of group.tasks ?? []) {
    for (const service of task.services ?? []) {
      const check = service.checks?.find(({ expose }) => expose === true);
      if (check !== undefined)
        return `exposed service check ${name}[${task.name}]->${service.name}->${check.name} is not a task-group service`;
    }
  }
  return undefined;
}
