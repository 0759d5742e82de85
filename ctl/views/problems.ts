import { escapeControls, type StatusCause } from '../../base/index.ts';
import type { Job, Service, Task, TaskGroup } from '../../openapi/index.ts';

/**
 * What is wrong with a job, laid out as Nomad does: the problems of a group within one about the group, those of a task within
 * one about the task. The server's answer is flat and names the field of each; the names come from the job.
 */
export function jobProblems(job: Job, causes: readonly StatusCause[]): string {
  const root: Node = { key: '', items: [] };
  for (const cause of inherited(job, causes)) {
    let node = root;
    const { path, message } = located(job, cause);
    for (const step of path) node = descend(node, step);
    if (!node.items.includes(message)) node.items.push(message);
  }
  return escapeControls(layOut(root));
}

/** Several problems one below the other. An item that holds others has a heading, or none where there is nothing to call it. */
interface Node {
  readonly key: string;
  readonly heading?: string | undefined;
  /** Only the first problem is told, on the line of the heading. */
  readonly single?: boolean | undefined;
  readonly items: (Node | string)[];
}

interface Step {
  readonly key: string;
  readonly heading?: string | undefined;
  readonly single?: boolean;
}

function descend(node: Node, step: Step): Node {
  const found = node.items.find((item): item is Node => typeof item !== 'string' && item.key === step.key);
  if (found !== undefined) return found;
  const made: Node = { ...step, items: [] };
  node.items.push(made);
  return made;
}

function layOut(node: Node): string {
  const items = node.items.map((item) => {
    if (typeof item === 'string') return item;
    if (item.single === true) return `${item.heading}${String(item.items[0])}`;
    return `${item.heading ?? ''}${layOut(item)}`;
  });
  return `${items.length === 1 ? '1 error' : `${items.length} errors`} occurred:\n\t* ${items.join('\n\t* ')}\n\n`;
}

/** Policies that groups take over from the job are wrong in each group that did. */
function inherited({ spec }: Job, causes: readonly StatusCause[]): StatusCause[] {
  return causes.flatMap((cause) => {
    const field = fieldOf(cause);
    const groups = spec.groups ?? [];
    if (!/^(update|migrate|reschedule)\b/.test(field) || groups.length === 0) return [cause];
    return groups.map((_, i) => ({ ...cause, field: `groups[${i}].${field}` }));
  });
}

const fieldOf = ({ field = '' }: StatusCause): string => field.replace(/^spec\.(dryRun\.job\.?)?/, '');

/** What concerns several parts of a block, and is told of all of them together though the field names one. */
const ofTheJob = /^(Job task group |stop_after_client_disconnect )/;
const ofTheGroup = /^(Only one task may be marked as leader|Task \d+ missing name)/;
const ofTheServices =
  /^(port label "|check "|[Ss]ervice "?[^"]*"? (is duplicate|cannot use address_mode)|Check .* (is invalid: only|invalid: (only|refers)))/;

/** The blocks that hold a problem, outermost first, and its words. */
function located(job: Job, cause: StatusCause): { path: Step[]; message: string } {
  const path: Step[] = [];
  let { message } = cause;
  let rest = fieldOf(cause);
  const take = (pattern: RegExp): RegExpExecArray | null => {
    const match = pattern.exec(rest);
    if (match !== null) rest = rest.slice(match[0].length).replace(/^\./, '');
    return match;
  };
  if (ofTheJob.test(message) || (/^groups\[\d+\]\.shutdownDelay$/.test(rest) && message.startsWith('ShutdownDelay')))
    return { path, message };
  const group = take(/^groups\[(\d+)\](?=\.|$)/);
  const g: TaskGroup | undefined = group === null ? undefined : job.spec.groups?.[Number(group[1])];
  if (group !== null && cause.reason === 'FieldValueDuplicate' && (rest === '' || rest === 'name'))
    return { path, message: redefines(message, 'Job task group', job.spec.groups, Number(group[1])) };
  if (group !== null) path.push({ key: group[0], heading: `Task group ${g?.name ?? ''} validation failed: ` });

  const task = take(/^tasks\[(\d+)\](?=\.|$)/);
  const t: Task | undefined = task === null ? undefined : g?.tasks?.[Number(task[1])];
  if (task !== null && cause.reason === 'FieldValueDuplicate' && (rest === '' || rest === 'name'))
    return { path, message: redefines(message, 'Task', g?.tasks, Number(task[1])) };
  if (ofTheGroup.test(message)) return { path, message };
  if (task !== null) path.push({ key: task[0], heading: `Task ${t?.name ?? ''} validation failed: ` });

  if (/^(log storage |Constraint \d+ has disallowed |Template \d+ has same )/.test(message)) return { path, message };
  const numbered = take(/^(constraints|affinities|spreads|artifacts|templates)\[(\d+)\](?=\.|$)/);
  const service = numbered === null ? take(/^services\[(\d+)\](?=\.|$)/) : null;
  const volume = take(/^volumes\[(\d+)\](?=\.|$)/);
  const v = volume === null ? undefined : g?.volumes?.[Number(volume[1])];
  if (volume !== null) {
    path.push({ key: volume[0], heading: `Task group volume validation for ${v?.name ?? ''} failed: ` });
  } else if (service !== null && ofTheServices.test(message)) {
    path.push(serviceSteps(undefined, service, t !== undefined)[0]!);
    return { path, message };
  } else if (numbered !== null) {
    path.push({ key: numbered[0], heading: `${singular[numbered[1]!]} ${Number(numbered[2]) + 1} validation failed: ` });
  } else if (service !== null) {
    const s = (t ?? g)?.services?.[Number(service[1])];
    path.push(...serviceSteps(s, service, t !== undefined));
    const check = take(/^checks\[(\d+)\](?=\.|$)/);
    const c = check === null ? undefined : s?.checks?.[Number(check[1])];
    if (check !== null) path.push({ key: check[0], heading: `Check ${c?.name ?? ''} invalid: `, single: true });
  } else if (rest === 'resources' || rest.startsWith('resources.')) {
    const device = /^resources\.devices\[(\d+)\]/.exec(rest);
    if (task !== null) path.push({ key: 'resources' });
    if (device !== null) path.push({ key: device[0], heading: `device ${Number(device[1]) + 1} failed validation: ` });
    else if (task !== null && message.startsWith('minimum ')) path.push({ key: 'resources' });
  } else if (rest.startsWith('lifecycle'))
    path.push({ key: 'lifecycle', heading: 'Lifecycle validation failed: ', single: true });
  else if (rest.startsWith('dispatchPayload.'))
    path.push({ key: 'dispatchPayload', heading: 'Dispatch Payload validation failed: ', single: true });
  else {
    const block = take(
      /^(networks\[\d+\]|scaling|vault|dispatchPayload|logs|update|migrate|restart|reschedule|periodic|parameterized)(?=\.|$)/,
    );
    // That a block may not be there at all is no problem within it.
    if (block !== null && !(rest === '' && /^(update|migrate|reschedule|periodic|parameterized)$/.test(block[0])))
      path.push({ key: block[0].replace(/\[.*/, ''), heading: headings[block[0].replace(/\[.*/, '')] });
    if (/^(Nomad can only make|Set the interval to at least) /.test(message)) path.push({ key: 'fit' });
  }
  // Only what users never wrote that way needs its field told.
  if (/^(must|Unknown field|unknown field|Invalid value|Required value|Unsupported value|Expected|expected)\b/.test(message))
    message = `${fieldOf(cause)}: ${message}`;
  return { path, message };
}

const singular: Readonly<Record<string, string>> = {
  constraints: 'Constraint',
  affinities: 'Affinity',
  spreads: 'Spread',
  artifacts: 'Artifact',
  templates: 'Template',
};

const headings: Readonly<Record<string, string>> = {
  networks: 'Task group network validation failed: ',
  scaling: 'Task group scaling policy validation failed: ',
  vault: 'Vault validation failed: ',
  dispatchPayload: 'Dispatch Payload validation failed: ',
};

function serviceSteps(service: Service | undefined, [key, index]: RegExpExecArray, ofTask: boolean): Step[] {
  const name = service?.name ?? '';
  return ofTask
    ? [{ key: 'services' }, { key, heading: `service[${index}] "${name}" validation failed: ` }]
    : [
        { key: 'services', heading: 'Task group service validation failed: ' },
        { key, heading: `Service[${index}] ${name} validation failed: ` },
      ];
}

function redefines(message: string, what: string, list: readonly { readonly name: string }[] | undefined, index: number): string {
  const name = list?.[index]?.name;
  const first = list?.findIndex((other) => other.name === name) ?? -1;
  if (name === undefined || first < 0 || first === index) return message;
  const of = what === 'Task' ? 'task' : 'group';
  return `${what} ${index + 1} redefines '${name}' from ${of} ${first + 1}`;
}
