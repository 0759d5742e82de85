import type { Deployment, Stored } from '../../openapi/index.ts';
import { jobIdOf } from '../views/lists.ts';
import { nanoseconds, orNull, time } from './values.ts';

/** A deployment as Nomad's API has it. */
export function nomadDeployment({ metadata, spec, status = {} }: Stored<Deployment>): Record<string, unknown> {
  const progress = new Map((status.groups ?? []).map((group) => [group.name, group]));
  const groups = spec.groups.map((group) => {
    const now = progress.get(group.name);
    return [
      group.name,
      {
        AutoRevert: group.autoRevert === true,
        ...(group.autoPromote === true && { AutoPromote: true }),
        ProgressDeadline: nanoseconds(group.progressDeadline),
        RequireProgressBy: time(now?.requireProgressBy),
        Promoted: now?.promoted === true,
        DesiredCanaries: group.desiredCanaries ?? 0,
        DesiredTotal: group.desiredTotal ?? 0,
        PlacedAllocs: now?.placed ?? 0,
        PlacedCanaries: orNull(now?.placedCanaries),
        HealthyAllocs: now?.healthy ?? 0,
        UnhealthyAllocs: now?.unhealthy ?? 0,
      },
    ];
  });
  const index = spec.jobModifyIndex ?? 0;
  return {
    ID: metadata.name,
    Namespace: metadata.namespace ?? 'default',
    JobID: jobIdOf(spec.jobName),
    JobVersion: spec.jobVersion,
    JobModifyIndex: index,
    JobSpecModifyIndex: index,
    JobCreateIndex: index,
    IsMultiregion: false,
    TaskGroups: Object.fromEntries(groups),
    Status: status.phase ?? 'pending',
    StatusDescription: status.description ?? '',
    CreateIndex: Number(metadata.resourceVersion),
    ModifyIndex: Number(metadata.resourceVersion),
  };
}
