import type { Deployment, Stored } from '../../openapi/index.ts';
import { pairs, table } from '../io/columns.ts';
import { localTime } from '../io/time.ts';
import { jobIdOf } from './lists.ts';
import { by, id, section, type View } from './view.ts';

/** What `deployment status` shows, and the monitor at each step. */
export function deploymentStatus(deployment: Stored<Deployment>, view: View): string {
  const basics = pairs([
    ['ID', id(view, deployment.metadata.name)],
    ['Job ID', jobIdOf(deployment.spec.jobName)],
    ['Job Version', deployment.spec.jobVersion],
    ['Status', deployment.status?.phase ?? 'pending'],
    ['Description', deployment.status?.description],
  ]);
  return `${basics}\n\n${section(view, 'Deployed', deployedGroups(deployment))}`;
}

/** The deployment as `job status` shows it. */
export function latestDeployment(deployment: Stored<Deployment>, view: View): string {
  const basics = pairs([
    ['ID', id(view, deployment.metadata.name)],
    ['Status', deployment.status?.phase ?? 'pending'],
    ['Description', deployment.status?.description],
  ]);
  return `${section(view, 'Latest Deployment', basics)}\n\n${section(view, 'Deployed', deployedGroups(deployment))}`;
}

/** Progress by group; columns that no group needs are left out. */
export function deployedGroups(deployment: Stored<Deployment>): string {
  const status = new Map((deployment.status?.groups ?? []).map((group) => [group.name, group]));
  const groups = [...deployment.spec.groups].sort(by(({ name }) => name));
  const anyCanary = groups.some(({ desiredCanaries = 0 }) => desiredCanaries > 0);
  const anyRevert = groups.some(({ autoRevert }) => autoRevert === true);
  const anyDeadline = groups.some(({ progressDeadline = '0s' }) => !/^0(s|m|h)?$/.test(progressDeadline));
  const only = <T>(show: boolean, cell: T): T[] => (show ? [cell] : []);
  return table([
    [
      'Task Group',
      ...only(anyRevert, 'Auto Revert'),
      ...only(anyCanary, 'Promoted'),
      'Desired',
      ...only(anyCanary, 'Canaries'),
      'Placed',
      'Healthy',
      'Unhealthy',
      ...only(anyDeadline, 'Progress Deadline'),
    ],
    ...groups.map((group) => {
      const now = status.get(group.name);
      const canaries = group.desiredCanaries ?? 0;
      return [
        group.name,
        ...only(anyRevert, group.autoRevert === true),
        ...only(anyCanary, canaries > 0 ? now?.promoted === true : 'N/A'),
        group.desiredTotal,
        ...only(anyCanary, canaries > 0 ? canaries : 'N/A'),
        now?.placed ?? 0,
        now?.healthy ?? 0,
        now?.unhealthy ?? 0,
        ...only(anyDeadline, localTime(now?.requireProgressBy)),
      ];
    }),
  ]);
}
