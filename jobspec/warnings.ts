import type { Job, TaskGroup } from '../openapi/index.ts';

/** What is allowed in a job and probably not meant, in the words and the layout that users know; undefined when there is nothing. */
export function jobWarnings(job: Job): string | undefined {
  const groups = job.spec.groups ?? [];
  const warnings = groups.flatMap((group) => {
    const inside = groupWarnings(group, job);
    return inside.length === 0 ? [] : [`Group "${group.name}" has warnings: ${problems(inside)}`];
  });
  const updates = groups.flatMap((group) => group.update ?? []);
  if (updates.some((u) => u.autoPromote === true) && updates.some((u) => u.autoPromote !== true)) {
    warnings.unshift('auto_promote must be true for all groups to enable automatic promotion');
  }
  if (warnings.length === 0) return undefined;
  return `${warnings.length} warning(s):\n\n${warnings.map((w) => `* ${w}`).join('\n')}`;
}

function groupWarnings(group: TaskGroup, job: Job): string[] {
  const out: string[] = [];
  const count = group.count ?? 1;
  const parallel = group.update?.maxParallel ?? job.spec.update?.maxParallel ?? 0;
  if (job.spec.type !== 'system' && parallel > count) {
    out.push(
      `Update max parallel count is greater than task group count (${parallel} > ${count}). A destructive change would result in the simultaneous replacement of all allocations.`,
    );
  }
  for (const network of group.networks ?? []) {
    if ((network.mbits ?? 0) > 0)
      out.push('mbits has been deprecated as of Nomad 0.12.0. Please remove mbits from the network block');
  }
  for (const task of group.tasks ?? []) {
    if ((task.resources?.networks ?? []).length > 0) {
      out.push(
        problems([
          `Task "${task.name}": task network resources have been deprecated as of Nomad 0.12.0. Please configure networking via group network block.`,
        ]),
      );
    }
  }
  return out;
}

function problems(list: readonly string[]): string {
  return `${list.length} error${list.length === 1 ? '' : 's'} occurred:\n${list.map((p) => `\t* ${p}`).join('\n')}\n\n`;
}
