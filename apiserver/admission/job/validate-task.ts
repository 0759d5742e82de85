import { constants } from 'node:os';
import { posix } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parseDuration } from '../../../base/index.ts';
import { driverConfigProblems } from '../../../openapi/index.ts';
import type { Artifact, JobSpec, Resources, Task, TaskGroup, Template, VolumeMount } from '../../../openapi/index.ts';
import type { Findings } from './findings.ts';
import { validateScaling } from './validate-group.ts';
import { validatePlacement } from './validate-placement.ts';
import { validateRestart } from './validate-policies.ts';
import { portLabels, validateServices } from './validate-service.ts';

export const lifecycleHooks: readonly string[] = ['prestart', 'poststart', 'poststop'];

/** Folders of the allocation that are not a task's. */
const reservedNames = ['alloc', 'tmp'];

export function validateTask(task: Task, group: TaskGroup, job: JobSpec, findings: Findings): void {
  validateName(task.name, findings);
  if (task.driver === undefined || task.driver === '') findings.required('driver', 'Missing task driver');
  if ((parseDuration(task.killTimeout) ?? 0) < 0) findings.invalid('killTimeout', 'KillTimeout must be a positive value');
  if ((parseDuration(task.shutdownDelay) ?? 0) < 0) findings.invalid('shutdownDelay', 'ShutdownDelay must be a positive value');
  validateResources(task.resources ?? {}, findings.at('resources'));
  validateLogs(task, findings);
  validatePlacement(task, job.type, 'task', findings);
  const ports = portLabels([...(group.networks ?? []), ...(task.resources?.networks ?? [])]);
  validateServices({ services: task.services, ports, group, task }, findings);
  validateLogStorage(task, group, findings);
  for (const { path, message } of driverConfigProblems(task.driver ?? '', task.config ?? {}))
    findings.at('config').invalid(path, `Invalid config of driver ${JSON.stringify(task.driver)}: ${path}: ${message}`);
  if (!isDeepStrictEqual(task.restart, group.restart)) validateRestart(task.restart, findings.at('restart')); // inherited as a whole: named there
  validateSignal(task.killSignal, 'killSignal', findings);
  task.artifacts?.forEach((artifact, i) => validateArtifact(artifact, findings.at('artifacts', i)));
  validateVault(task, findings.at('vault'));
  task.templates?.forEach((template, i) => validateTemplate(template, findings.at('templates', i)));
  validateTemplateDestinations(task, findings);
  if (task.dispatchPayload !== undefined) {
    if (job.parameterized === undefined && job.dispatched !== true)
      findings.invalid('dispatchPayload', 'A dispatch payload needs a parameterized job');
    validatePath(task.dispatchPayload.file, 'dispatchPayload.file', findings);
  }
  if (task.lifecycle !== undefined) {
    const { hook = '' } = task.lifecycle;
    if (hook === '') findings.required('lifecycle.hook', 'no lifecycle hook provided');
    else if (!lifecycleHooks.includes(hook)) findings.invalid('lifecycle.hook', `invalid hook: ${hook}`);
    if (task.leader === true) findings.invalid('leader', 'A leader task cannot have a lifecycle block');
  }
  task.volumeMounts?.forEach((mount, i) => validateVolumeMount(mount, i, group, findings.at('volumeMounts', i)));
  validateActions(task, findings);
  task.scalings?.forEach((scaling, i) => validateScaling(scaling, undefined, findings.at('scalings', i)));
}

function validateActions({ actions = [] }: Task, findings: Findings): void {
  const seen = new Set<string>();
  actions.forEach(({ name, command }, i) => {
    const at = findings.at('actions', i);
    if (!/^[a-zA-Z0-9-]{1,128}$/.test(name))
      at.invalid('name', `invalid name ${JSON.stringify(name)}: 1 to 128 letters, digits or dashes`);
    else if (seen.has(name)) at.invalid('name', `Action ${JSON.stringify(name)} is defined more than once`);
    seen.add(name);
    if (command === undefined || command === '') at.required('command', 'command cannot be empty');
  });
}

function validateVault({ vault }: Task, findings: Findings): void {
  if (vault === undefined) return;
  const { policies = [], changeMode = 'restart', changeSignal } = vault;
  if (policies.length === 0 && !vault.role) findings.required('policies', 'Policy list cannot be empty');
  if (policies.includes('root')) findings.invalid('policies', 'Can not specify "root" policy');
  if (changeMode === 'signal' && !changeSignal)
    findings.required('changeSignal', 'Signal must be specified when using change mode "signal"');
  if (!['noop', 'restart', 'signal'].includes(changeMode)) findings.invalid('changeMode', `Unknown change mode "${changeMode}"`);
  validateSignal(changeSignal, 'changeSignal', findings);
}

function validateName(name: string, findings: Findings): void {
  if (name === '') findings.required('name', 'Missing task name');
  else if (/[/\\]/.test(name)) findings.invalid('name', 'Task name cannot include slashes');
  else if (name.includes('\0')) findings.invalid('name', 'Task name cannot include null characters');
  else if (reservedNames.includes(name) || name === '.' || name === '..') {
    findings.invalid('name', `"${name}" is a reserved name: the allocation has a folder of its own there`);
  }
}

function validateResources(resources: Resources, findings: Findings): void {
  const cores = resources.cores ?? 0;
  const cpu = resources.cpu ?? 100;
  const memory = resources.memory ?? 300;
  if (cores < 0) findings.invalid('cores', `Cores can't be negative: ${cores}`);
  if (cores > 0 && cpu > 0) findings.invalid('cores', "Task can only ask for 'cpu' or 'cores' resource, not both.");
  if (cores === 0 && cpu < 1) findings.invalid('cpu', `minimum CPU value is 1; got ${cpu}`);
  if (memory < 10) findings.invalid('memory', `minimum MemoryMB value is 10; got ${memory}`);
  if ((resources.disk ?? 0) > 0) {
    const words = "Task can't ask for disk resources, they have to be specified at the task group level.";
    findings.invalid('disk', words);
  }
  resources.devices?.forEach(({ name = '' }, i) => {
    const words = 'device name must be given as one of the following: type, vendor/type, or vendor/type/model';
    if (!/^[^/]+(\/[^/]+){0,2}$/.test(name)) findings.at('devices', i).required('name', words);
  });
  if (resources.memoryMax !== undefined && resources.memoryMax !== 0 && resources.memoryMax < memory) {
    findings.invalid('memoryMax', `MemoryMaxMB value (${resources.memoryMax}) should be larger than MemoryMB value (${memory})`);
  }
}

function validateLogs(task: Task, findings: Findings): void {
  const { maxFiles = 10, maxFileSize = 10, disabled } = task.logs ?? {};
  if (disabled === true) return;
  const at = findings.at('logs');
  if (maxFiles < 1) at.invalid('maxFiles', `minimum number of files is 1; got ${maxFiles}`);
  if (maxFileSize < 1) at.invalid('maxFileSize', `minimum file size is 1MB; got ${maxFileSize}`);
}

function validateLogStorage(task: Task, group: TaskGroup, findings: Findings): void {
  const { maxFiles = 10, maxFileSize = 10, disabled } = task.logs ?? {};
  if (disabled === true) return;
  const disk = group.ephemeralDisk?.size ?? 300;
  const usage = maxFiles * maxFileSize;
  if (disk >= 10 && disk <= usage)
    findings.invalid('logs.maxFileSize', `log storage (${usage} MB) must be less than requested disk capacity (${disk} MB)`);
}

function validateSignal(signal: string | undefined, field: string, findings: Findings): void {
  if (signal === undefined || signal === '' || signal.includes('${')) return;
  const name = signal.toUpperCase();
  findings.oneOf(field, name.startsWith('SIG') ? name : `SIG${name}`, Object.keys(constants.signals), 'signal');
}

function validateTemplate(template: Template, findings: Findings): void {
  if (!template.source && !template.data) findings.required('data', 'Must specify a source path or have an embedded template');
  if (template.source && template.data) findings.invalid('source', 'Give either source or data, not both');
  if (!template.destination) findings.required('destination', 'Must specify a destination for the template');
  else validatePath(template.destination, 'destination', findings);
  if (!['noop', 'restart', 'signal', 'script'].includes(template.changeMode ?? 'restart')) {
    const words = 'Invalid change mode. Must be one of the following: noop, signal, restart';
    findings.invalid('changeMode', words);
  }
  if (template.changeMode === 'signal') {
    if (!template.changeSignal) findings.required('changeSignal', 'Must specify signal value when change mode is signal');
    if (template.env === true) findings.invalid('changeMode', 'cannot use signals with env var templates');
  }
  if (template.changeMode === 'signal') validateSignal(template.changeSignal, 'changeSignal', findings);
  if (template.changeMode === 'script' && !template.changeScript?.command) {
    findings.required('changeScript.command', 'Must specify script path value when change mode is script');
  }
  const splay = parseDuration(template.splay);
  if (splay !== undefined && splay < 0) findings.invalid('splay', 'Must specify positive splay value');
  if (template.perms !== undefined && template.perms !== '' && octalProblem(template.perms) !== undefined) {
    findings.invalid('perms', `Failed to parse "${template.perms}" as octal: ${octalProblem(template.perms)}`);
  }
  const { min, max } = template.wait ?? {};
  const [low, high] = [parseDuration(min), parseDuration(max)];
  if (low !== undefined && high !== undefined && low > high)
    findings.invalid('wait', `Wait min ${min} is greater than max ${max}`);
}

/** Why permissions cannot be read, in Go's words. */
function octalProblem(perms: string): string | undefined {
  if (!/^[0-7]+$/.test(perms)) return `strconv.ParseUint: parsing ${JSON.stringify(perms)}: invalid syntax`;
  return parseInt(perms, 8) > 0o7777 ? `strconv.ParseUint: parsing "${perms}": value out of range` : undefined;
}

function validateTemplateDestinations(task: Task, findings: Findings): void {
  const seen = new Map<string, number>();
  task.templates?.forEach(({ destination }, i) => {
    if (!destination) return;
    const before = seen.get(destination);
    if (before !== undefined)
      findings.at('templates', i).duplicate('destination', `Template ${i + 1} has same destination as ${before + 1}`);
    else seen.set(destination, i);
  });
}

function validateArtifact(artifact: Artifact, findings: Findings): void {
  if (!artifact.source) findings.required('source', 'source must be specified');
  const { mode = 'any' } = artifact;
  if (!['any', 'file', 'dir'].includes(mode))
    findings.invalid('mode', `invalid artifact mode "${mode}"; must be one of: any, file, dir`);
  validatePath(artifact.destination, 'destination', findings);
}

/** Refuses a path that leaves the task's folder, as far as it is known before interpolation. */
function validatePath(path: string | undefined, field: string, findings: Findings): void {
  if (path === undefined) return;
  if (path.includes('\0')) findings.invalid(field, 'A path cannot include null characters');
  // Two folders up is the allocation; beyond it nothing may be written.
  const normal = posix.normalize(path.replace(/^\$\{NOMAD_(TASK|SECRETS|ALLOC)_DIR\}/i, 'local'));
  if (!path.startsWith('/') && normal.split('/').filter((part) => part === '..').length > 1) {
    findings.invalid(field, 'destination escapes allocation directory');
  }
}

function validateVolumeMount(mount: VolumeMount, index: number, group: TaskGroup, findings: Findings): void {
  if (!mount.destination) findings.required('destination', 'Missing destination of the volume mount');
  if (!mount.volume) findings.required('volume', 'Missing volume of the volume mount');
  else if (!(group.volumes ?? []).some(({ name }) => name === mount.volume)) {
    findings.oneOf('volume', mount.volume, (group.volumes ?? []).map(({ name }) => name), 'volume mount, which references an undefined volume'); // prettier-ignore
  }
  const { propagationMode = '' } = mount;
  if (!['', 'private', 'host-to-task', 'bidirectional'].includes(propagationMode))
    findings.invalid('propagationMode', `Volume Mount (${index}) has invalid propagation mode: "${propagationMode}"`);
}
