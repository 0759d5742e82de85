import { formatDuration, parseDuration } from '../../../base/index.ts';
import type { Check, Network, Service, Task, TaskGroup } from '../../../openapi/index.ts';
import type { Findings } from './findings.ts';

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
  const seen = new Set(servicesOfTasks(owner));
  const unknownPorts = new Map<string, { readonly at: Findings; readonly services: string[] }>();
  owner.services?.forEach((service, i) => {
    const at = findings.at('services', i);
    validateService(service, owner, at);
    const identity = identityOf(service);
    if (seen.has(identity)) {
      const words = owner.task === undefined ? `Service ${service.name} is duplicate` : `service "${service.name}" is duplicate`;
      at.duplicate('name', words);
    }
    seen.add(identity);
    validateReferences(service, owner, at, (port) => {
      const unknown = unknownPorts.get(port) ?? { at, services: [] };
      unknownPorts.set(port, unknown);
      if (!unknown.services.includes(service.name ?? '')) unknown.services.push(service.name ?? '');
    });
  });
  for (const [port, { at, services }] of [...unknownPorts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const words = `port label "${port}" referenced by services ${services.join(', ')} does not exist`;
    at.invalid('port', words);
  }
}

type MissingPort = (port: string) => void;

const identityOf = (service: Service): string => `${service.name}\0${service.port ?? ''}`;

/** A group and its tasks register in one place. */
const servicesOfTasks = ({ group, task }: Owner): string[] =>
  task !== undefined ? [] : (group.tasks ?? []).flatMap(({ services = [] }) => services.map(identityOf));

const updatePolicies = ['require_healthy', 'ignore_warnings', 'ignore'];

function validateService(service: Service, owner: Owner, findings: Findings): void {
  if (!service.name) findings.required('name', 'Missing service name');
  else if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(service.name.replace(/\$\{[^}]*\}/g, 'x'))) {
    findings.invalid(
      'name',
      `Service name must be valid per RFC 1123 and can contain only alphanumeric characters or dashes: "${service.name}"`,
    );
  }
  if (service.provider !== undefined) findings.oneOf('provider', service.provider, ['nomad', 'consul'], 'service provider');
  const addressMode = service.addressMode ?? 'auto';
  if (!['auto', 'host', 'driver', 'alloc', 'alloc_ipv6'].includes(addressMode))
    findings.invalid('addressMode', `Service address_mode must be "auto", "host", or "driver"; not "${addressMode}"`);
  if (service.onUpdate !== undefined) findings.oneOf('onUpdate', service.onUpdate, updatePolicies, 'on_update policy');
  if (service.address && addressMode !== 'auto')
    findings.invalid('address', 'A service with an address needs address mode "auto"');
  if (service.task && service.connect === undefined && !hasTask(owner.group, service.task)) {
    findings.invalid(
      'task',
      `Task "${service.task}" named by service "${service.name}" does not exist in group "${owner.group.name}"`,
    );
  }
  service.checks?.forEach((check, i) => {
    const at = findings.at('checks', i);
    if (!service.port && !check.port && requiresPort(check)) {
      const words = `check requires a port but neither check nor service "${service.name}" have a port`;
      at.required('port', words);
    } else validateCheck(check, service, owner, at);
  });
  if (service.connect?.native === true && !service.task)
    findings.required('task', `Service ${service.name} is Connect Native and requires setting the task`);
  const { passing = 1, warning = 1 } = service.weights ?? {};
  if (passing <= 0) findings.invalid('weights.passing', `Service weight must be at least 1, not ${passing}`);
  if (warning <= 0) findings.invalid('weights.warning', `Service weight must be at least 1, not ${warning}`);
}

const requiresPort = ({ type = '' }: Check): boolean => ['http', 'tcp', 'grpc'].includes(type.toLowerCase());

/** One check, as far as it can be judged alone; the first thing that is wrong with it. */
function validateCheck(check: Check, service: Service, owner: Owner, findings: Findings): void {
  const type = (check.type ?? '').toLowerCase();
  switch (type) {
    case 'tcp':
    case 'grpc':
      break;
    case 'http':
      if (!check.path) findings.required('path', 'http type must have a valid http path');
      else if (/^[a-z][a-z0-9+.-]*:/i.test(check.path)) findings.invalid('path', 'http type must have a relative http path');
      if (check.protocol) findings.oneOf('protocol', check.protocol, ['http', 'https'], 'protocol');
      break;
    case 'script':
      if (!check.command) findings.required('command', 'script type must have a valid script path');
      else if (owner.task === undefined && !check.task && !service.task)
        findings.required('task', 'script checks of a group service must name the task they run in');
      break;
    default: {
      const words = `invalid type ("${check.type ?? ''}"), must be one of "http", "tcp", or "script" type`;
      findings.invalid('type', words);
      return;
    }
  }
  for (const [field, below] of [
    ['interval', (value: string) => `interval (${value}) cannot be lower than 1s`],
    ['timeout', (value: string) => `timeout (${value}) is lower than required minimum timeout 1s`],
  ] as const) {
    const value = parseDuration(check[field]) ?? 0;
    const Field = field === 'interval' ? 'Interval' : 'Timeout';
    if (value === 0) findings.required(field, `missing required value ${field}. ${Field} cannot be less than 1s`);
    else if (value < 1000) findings.invalid(field, below(formatDuration(value)));
  }
  if (check.initialStatus && !['passing', 'warning', 'critical'].includes(check.initialStatus)) {
    const known = 'must be one of "passing", "warning", "critical" or empty';
    findings.invalid('initialStatus', `invalid initial check state (${check.initialStatus}), ${known}`);
  }
  if (check.addressMode === 'auto') findings.invalid('addressMode', 'invalid address_mode "auto" - auto only valid for services');
  else if (check.addressMode && !['host', 'driver', 'alloc'].includes(check.addressMode))
    findings.invalid('addressMode', `invalid address_mode "${check.addressMode}"`);
  if (check.onUpdate !== undefined) findings.oneOf('onUpdate', check.onUpdate, updatePolicies, 'on_update policy');
  for (const [field, name] of [
    ['successBeforePassing', 'success_before_passing'],
    ['failuresBeforeCritical', 'failures_before_critical'],
    ['failuresBeforeWarning', 'failures_before_warning'],
  ] as const) {
    if ((check[field] ?? 0) < 0) findings.invalid(field, `${name} must be non-negative`);
  }
  const { limit = 0, grace } = check.checkRestart ?? {};
  if (limit < 0) findings.invalid('checkRestart.limit', `limit must be greater than or equal to 0 but found ${limit}`);
  const pause = parseDuration(grace) ?? 0;
  if (pause < 0) findings.invalid('checkRestart.grace', `grace period cannot be negative: ${Math.round(pause * 1e6)}`);
}

/** What a service and its checks refer to: ports, tasks and each other. */
function validateReferences(service: Service, owner: Owner, findings: Findings, missing: MissingPort): void {
  const addressMode = service.addressMode ?? 'auto';
  const known = (port: string): boolean => port.includes('${') || owner.ports.has(port);
  const isNumber = (port: string): boolean => /^-?\d+$/.test(port);
  if (owner.task === undefined && addressMode === 'driver') {
    const words = `service "${service.name}" cannot use address_mode="driver", only services defined in a "task" block can use this mode`;
    findings.invalid('addressMode', words);
  }
  if (service.port && !isNumber(service.port) && !known(service.port)) missing(service.port);
  const names = new Set<string>();
  for (const [i, check] of (service.checks ?? []).entries()) {
    const at = findings.at('checks', i);
    const name = check.name ?? '';
    if (names.has(name)) at.duplicate('name', `check "${name}" is duplicate`);
    names.add(name);
    if (owner.task !== undefined) {
      if (check.task) {
        const words = `Check ${name} is invalid: only task group service checks can be assigned tasks`;
        at.invalid('task', words);
      }
    } else if (check.task) validateCheckTask(check, owner.group, at);
    const port = check.port || service.port;
    if (!requiresPort(check) || !port) continue;
    const driver = check.addressMode === 'driver' || (!check.addressMode && addressMode === 'driver');
    if (!isNumber(port)) {
      if (!known(port)) missing(port);
    } else if (driver) {
      if (Number(port) <= 0) at.invalid('port', `check "${name}" has invalid numeric port ${Number(port)}`);
    } else if (check.port) {
      const words = `check "${name}" cannot use a numeric port ${Number(port)} without setting address_mode="driver"`;
      at.invalid('port', words);
    }
  }
}

function validateCheckTask(check: Check, group: TaskGroup, findings: Findings): void {
  const name = check.name ?? '';
  if (check.type !== 'script' && check.type !== 'grpc')
    findings.invalid('task', `Check ${name} invalid: only script and gRPC checks should have tasks`);
  if (!hasTask(group, check.task!)) findings.invalid('task', `Check ${name} invalid: refers to non-existent task ${check.task}`);
}

const hasTask = (group: TaskGroup, name: string): boolean => (group.tasks ?? []).some((task) => task.name === name);
