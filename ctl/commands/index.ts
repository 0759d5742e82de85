import type { Command } from '../command.ts';
import { allocFs } from './alloc/fs.ts';
import { allocRestart, allocSignal, allocStop } from './alloc/lifecycle.ts';
import { allocLogs } from './alloc/logs.ts';
import { allocStatus } from './alloc/status.ts';
import { apiResources } from './api/api-resources.ts';
import { apply } from './api/apply.ts';
import { deleteObjects } from './api/delete.ts';
import { describe } from './api/describe.ts';
import { events } from './api/events.ts';
import { get } from './api/get.ts';
import { complete, completion } from './completion.ts';
import { convert } from './convert.ts';
import { deploymentFail, deploymentList, deploymentPause, deploymentResume, deploymentStatus } from './deployment/commands.ts';
import { deploymentPromote } from './deployment/promote.ts';
import { evalList, evalStatus } from './eval/commands.ts';
import { fmt } from './fmt.ts';
import { logs } from './logs.ts';
import { jobDeployments } from './job/deployments.ts';
import { jobDispatch, jobPeriodicForce } from './job/dispatch.ts';
import { jobEval } from './job/eval.ts';
import { jobHistory } from './job/history.ts';
import { jobInit } from './job/init.ts';
import { jobInspect } from './job/inspect.ts';
import { jobPlan } from './job/plan.ts';
import { jobPromote } from './job/promote.ts';
import { jobRevert } from './job/revert.ts';
import { jobRun } from './job/run.ts';
import { jobScale } from './job/scale.ts';
import { jobStatus } from './job/status.ts';
import { jobStop } from './job/stop.ts';
import { jobValidate } from './job/validate.ts';
import { nodeDrain } from './node/drain.ts';
import { nodeEligibility } from './node/eligibility.ts';
import { nodeStatus } from './node/status.ts';
import { serverMembers } from './server.ts';
import { status } from './status.ts';
import { version } from './version.ts';

/** The words that commands are grouped under, with what they are about. */
export const groups: Readonly<Record<string, string>> = {
  alloc: 'Work with allocations',
  deployment: 'Work with deployments',
  eval: 'Work with evaluations',
  job: 'Work with jobs',
  node: 'Work with nodes',
  server: 'Work with servers',
  snapshot: 'Save and restore the state of the cluster',
  store: 'Work with the store of the servers',
};

export const commands: readonly Command[] = [
  allocFs,
  allocLogs,
  allocRestart,
  allocSignal,
  allocStatus,
  allocStop,
  apiResources,
  apply,
  complete,
  completion,
  convert,
  deleteObjects,
  deploymentFail,
  deploymentList,
  deploymentPause,
  deploymentPromote,
  deploymentResume,
  deploymentStatus,
  describe,
  evalList,
  evalStatus,
  events,
  fmt,
  get,
  jobDeployments,
  jobDispatch,
  jobEval,
  jobHistory,
  jobInit,
  jobInspect,
  jobPeriodicForce,
  jobPlan,
  jobPromote,
  jobRevert,
  jobRun,
  jobScale,
  jobStatus,
  jobStop,
  jobValidate,
  logs,
  nodeDrain,
  nodeEligibility,
  nodeStatus,
  serverMembers,
  status,
  version,
];
