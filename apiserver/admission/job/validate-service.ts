import { parseDuration } from '../../../base/index.ts';
import type { Check, Network, Service, Task, TaskGroup } from '../../../openapi/index.ts';
import { choices, didYouMean, type Findings } from './findings.ts';

interface Owner {
  readonly services: readonly Service[] | undefined;
  /** The port labels that its services can name. */
  readonly ports: ReadonlySet<string>;
  readonly group: TaskGroup;
  /** Absent for the services of the group itself. */
  readonly task?: Task;
}

export const portLabels = (networks: readonly Network[]): Set<string> =>
  new Set(networks.flatMap((network) => (network.ports ?? []).map((port) => port.label)));

export function validateServices(owner: Owner, findings: Findings): void {
  const seen = new Set<string>();
  owner.services?.forEach((service, i) => {
    const at = findings.at('services', i);
    const identity = `${service.name}\0${service.port ?? ''}`;
    if (seen.has(identity))
      at.duplicate('name', `Service "${service.name}" is duplicate: its name and port are those of another`);
    seen.add(identity);
    validateService(service, owner, at);
  });
}

const updatePolicies = ['require_healthy', 'ignore_warnings', 'ignore'];

function validateService(service: Service, owner: Owner, findings: Findings): void {
  if (!service.name) findings.required('name', 'Missing service name');
  else if (!service.name.includes('${') && !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(service.name)) {
    findings.invalid(
      'name',
      `Service name must be valid per RFC 1123 and can contain only alphanumeric characters or dashes and must be no longer than 63 characters: "${service.name}"`,
    );
  }
  if (service.provider !== undefined) findings.oneOf('provider', service.provider, ['nomad', 'consul'], 'service provider');
  const addressMode = service.addressMode ?? 'auto';
  findings.oneOf('addressMode', addressMode, ['auto', 'host', 'driver', 'alloc', 'alloc_ipv6'], 'address mode');
  if (service.onUpdate !== undefined) findings.oneOf('onUpdate', service.onUpdate, updatePolicies, 'on_update policy');
  if (service.address && addressMode !== 'auto')
    findings.invalid('address', 'A service with an address needs address mode "auto"');
  if (addressMode !== 'driver') validatePort(service.port, owner, findings);
  if (service.task && !hasTask(owner.group, service.task)) {
    findings.invalid(
      'task',
      `Task "${service.task}" named by service "${service.name}" does not exist in group "${owner.group.name}"`,
    );
  }
  const names = new Set<string>();
  service.checks?.forEach((check, i) => {
    const at = findings.at('checks', i);
    if (check.name !== undefined && names.has(check.name)) at.duplicate('name', `Check "${check.name}" is duplicate`);
    names.add(check.name ?? '');
    validateCheck(check, service, owner, at);
  });
  const { passing = 1, warning = 1 } = service.weights ?? {};
  if (passing <= 0) findings.invalid('weights.passing', `Service weight must be at least 1, not ${passing}`);
  if (warning <= 0) findings.invalid('weights.warning', `Service weight must be at least 1, not ${warning}`);
}

function validateCheck(check: Check, service: Service, owner: Owner, findings: Findings): void {
  const types = ['http', 'tcp', 'script', 'grpc'];
  if (!types.includes(check.type ?? '')) {
    const hint = check.type ? didYouMean(check.type, types) : '';
    findings.invalid('type', `invalid type ("${check.type ?? ''}"), must be one of "http", "tcp", or "script" type${hint}`);
    return;
  }
  for (const field of ['interval', 'timeout'] as const) {
    const value = parseDuration(check[field]) ?? 0;
    const Field = field === 'interval' ? 'Interval' : 'Timeout';
    if (value === 0) findings.required(field, `missing required value ${field}. ${Field} cannot be less than 1s`);
    else if (value < 1000) findings.invalid(field, `${field} (${check[field]}) cannot be less than 1s`);
  }
  switch (check.type) {
    case 'http':
      if (!check.path) findings.required('path', 'http checks must have a path, like "/health"');
      else if (/^[a-z]+:\/\//i.test(check.path))
        findings.invalid('path', `The path of an http check must be relative: "${check.path}"`);
      if (check.protocol) findings.oneOf('protocol', check.protocol, ['http', 'https'], 'protocol');
      break;
    case 'script':
      if (!check.command) findings.required('command', 'script checks must have a command');
      if (owner.task === undefined && !check.task && !service.task) {
        findings.required('task', 'script checks of a group service must name the task they run in');
      }
      break;
    default:
      break;
  }
  if (check.task && !hasTask(owner.group, check.task))
    findings.invalid('task', `Task "${check.task}" does not exist in group "${owner.group.name}"`);
  if (check.initialStatus)
    findings.oneOf('initialStatus', check.initialStatus, ['passing', 'warning', 'critical'], 'initial check state');
  if (check.onUpdate !== undefined) findings.oneOf('onUpdate', check.onUpdate, updatePolicies, 'on_update policy');
  if (check.addressMode) findings.oneOf('addressMode', check.addressMode, ['auto', 'host', 'driver', 'alloc'], 'address mode');
  for (const field of ['successBeforePassing', 'failuresBeforeCritical', 'failuresBeforeWarning'] as const) {
    if ((check[field] ?? 0) < 0) findings.invalid(field, `${field} can't be negative`);
  }
  if ((check.checkRestart?.limit ?? 0) < 0) findings.invalid('checkRestart.limit', 'limit must be greater than or equal to 0');
  if ((parseDuration(check.checkRestart?.grace) ?? 0) < 0)
    findings.invalid('checkRestart.grace', 'grace must be greater than or equal to 0');
  validateCheckPort(check, service, owner, findings);
}

function validateCheckPort(check: Check, service: Service, owner: Owner, findings: Findings): void {
  if (check.type === 'script') return;
  if (!check.port && !service.port) {
    findings.required(
      'port',
      `Check "${check.name}" requires a port but neither check nor service "${service.name}" have a port`,
    );
    return;
  }
  const driver = check.addressMode === 'driver' || (!check.addressMode && service.addressMode === 'driver');
  if (!check.port || driver) return;
  if (/^\d+$/.test(check.port)) {
    findings.invalid(
      'port',
      `check "${check.name}" cannot use a numeric port ${check.port} without setting address_mode="driver"`,
    );
  } else validatePort(check.port, owner, findings);
}

/** A port is a label of the group's or task's network, or a number. */
function validatePort(port: string | undefined, owner: Owner, findings: Findings): void {
  if (!port || port.includes('${') || owner.ports.has(port)) return;
  if (/^\d+$/.test(port)) {
    if (Number(port) < 1 || Number(port) > 65535) findings.invalid('port', `Port ${port} is not between 1 and 65535`);
    return;
  }
  const labels = [...owner.ports];
  const expected = labels.length === 0 ? 'the group has no ports' : `expected ${choices(labels)}${didYouMean(port, labels)}`;
  findings.invalid('port', `Port label "${port}" does not exist: ${expected}`);
}

const hasTask = (group: TaskGroup, name: string): boolean => (group.tasks ?? []).some((task) => task.name === name);
