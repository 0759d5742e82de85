/** The paths of variables, and the names of their objects: a slash cannot stand in a name, a colon stands for it. */

export const variableName = (path: string): string => path.replaceAll('/', ':');
export const variablePath = (name: string): string => name.replaceAll(':', '/');

/** What is wrong with a path, in words; undefined when nothing is. */
export function variablePathProblem(path: string): string | undefined {
  if (path === '') return 'variable path cannot be empty';
  if (!/^[a-zA-Z0-9-_~/]{1,128}$/.test(path)) {
    return 'a path has at most 128 letters, digits, "-", "_", "~" and "/"';
  }
  const [top, second] = path.split('/');
  if (top !== 'nomad' || second === 'jobs') return undefined;
  return second === undefined
    ? '"nomad" is a reserved top-level directory path, but you may write variables to "nomad/jobs" or below'
    : 'only paths at "nomad/jobs" and below are valid paths under the top-level directory "nomad"';
}

/** The paths that a task may read by being that task. */
export function pathsOfTask({
  job,
  group,
  task,
}: {
  readonly job: string;
  readonly group: string;
  readonly task: string;
}): string[] {
  return ['nomad/jobs', `nomad/jobs/${job}`, `nomad/jobs/${job}/${group}`, `nomad/jobs/${job}/${group}/${task}`];
}
