import type { JobSpec, TaskGroup } from '../../../openapi/index.ts';

/** Hints about a valid job, one text each, worded as `plan`, `run` and `validate` print them. */
export function jobWarnings(spec: JobSpec): string[] {
  const groups = spec.groups ?? [];
  const warnings = groups.flatMap((group) => {
    const inside = groupWarnings(group);
    return inside.length === 0 ? [] : [`Group "${group.name}" has warnings: ${list(inside)}`];
  });
  const promoting = groups.filter((group) => (group.update?.canary ?? 0) > 0);
  const auto = promoting.filter((group) => group.update?.autoPromote === true);
  if (auto.length > 0 && auto.length < promoting.length)
    warnings.push('auto_promote must be true for all groups to enable automatic promotion');
  if (
    groups.some((group) =>
      [...(group.services ?? []), ...(group.tasks ?? []).flatMap((task) => task.services ?? [])].some(
        ({ provider }) => provider === 'consul',
      ),
    )
  ) {
    warnings.push('Services are registered here (ServiceRegistration), not in Consul: provider "consul" has no other effect');
  }
  return warnings;
}

function groupWarnings(group: TaskGroup): string[] {
  const warnings: string[] = [];
  const count = group.count ?? 1;
  const maxParallel = group.update?.maxParallel ?? 0;
  if (maxParallel > count && count > 0) {
    warnings.push(
      `Update max parallel count is greater than task group count (${maxParallel} > ${count}). ` +
        'A destructive change would result in the simultaneous replacement of all allocations.',
    );
  }
  const tasks = (group.tasks ?? [])
    .filter((task) => (task.resources?.networks?.length ?? 0) > 0)
    .map((task) => `Task "${task.name}": task network resources have been deprecated as of Nomad 0.12.0. Please configure networking via group network block.`); // prettier-ignore
  if (tasks.length > 0) warnings.push(...tasks.map((task) => list([task])));
  for (const network of group.networks ?? []) if ((network.mbits ?? 0) > 0) warnings.push('mbits has been deprecated as of Nomad 0.12.0. Please remove mbits from the network block'); // prettier-ignore
  return warnings;
}

/** The layout of a list of errors, as users know it. */
function list(items: readonly string[]): string {
  return `${items.length} error${items.length === 1 ? '' : 's'} occurred:\n${items.map((item) => `\t* ${item}`).join('\n')}\n\n`;
}
