import type { Command } from '../command.ts';
import { allocChecks } from './alloc/checks.ts';
import { allocStats } from './alloc/stats.ts';
import { createObjects, replaceObjects } from './api/create.ts';
import { diff } from './api/diff.ts';
import { edit } from './api/edit.ts';
import { explainFields } from './api/explain.ts';
import { annotate, label, patchObject } from './api/patch.ts';
import { topAllocations, topNodes } from './api/top.ts';
import { wait } from './api/wait.ts';
import { configCurrent, configGet, configSet, configUse, configDelete } from './config.ts';
import { jobAction } from './job/action.ts';
import { jobAllocs } from './job/allocs.ts';
import { jobRestart } from './job/restart.ts';
import { jobStart } from './job/start.ts';
import { jobTagApply, jobTagUnset } from './job/tag.ts';
import { namespaceApply, namespaceDelete, namespaceInspect, namespaceList, namespaceStatus } from './namespace/commands.ts';
import { monitor } from './monitor.ts';
import { nodeConfig } from './node/config.ts';
import { nodeMetaApply, nodeMetaRead } from './node/meta.ts';
import { nodePoolApply, nodePoolDelete, nodePoolInfo, nodePoolJobs, nodePoolList, nodePoolNodes } from './node/pool.ts';
import { operatorApi, operatorMetrics } from './operator/commands.ts';
import { portForward } from './port-forward.ts';
import { keyringList, keyringRemove, keyringRotate } from './operator/keyring.ts';
import { operatorSchedulerGetConfig, operatorSchedulerSetConfig } from './operator/scheduler.ts';
import { systemGc, systemReconcileSummaries } from './system/commands.ts';
import { rolloutHistory, rolloutPause, rolloutRestart, rolloutResume, rolloutStatus, rolloutUndo } from './rollout.ts';
import { serviceInfo, serviceList } from './service/commands.ts';
import { allocExec } from './alloc/exec.ts';
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
import { authCanI, authWhoami } from './auth.ts';
import { complete, completion } from './completion.ts';
import { cp } from './cp.ts';
import { convert } from './convert.ts';
import { deploymentFail, deploymentList, deploymentPause, deploymentResume, deploymentStatus } from './deployment/commands.ts';
import { deploymentPromote } from './deployment/promote.ts';
import { evalDelete, evalList, evalStatus } from './eval/commands.ts';
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
import { varGet, varInit, varList, varPurge, varPut } from './var/commands.ts';
import { varLock } from './var/lock.ts';
import { ui } from './ui.ts';
import { volumeStatus } from './volume/commands.ts';
import { version } from './version.ts';

/** The words that commands are grouped under, with what they are about. */
export const groups: Readonly<Record<string, string>> = {
  alloc: 'Work with allocations',
  auth: 'Ask who you are and what you may do',
  config: 'Work with the contexts of this program',
  deployment: 'Work with deployments',
  eval: 'Work with evaluations',
  job: 'Work with jobs',
  namespace: 'Work with namespaces',
  node: 'Work with nodes',
  operator: 'Ask the API and its servers',
  rollout: "Work with jobs' rollouts",
  server: 'Work with servers',
  service: 'Work with services',
  snapshot: 'Save and restore the state of the cluster',
  store: 'Work with the store of the servers',
  system: 'Have the whole cluster tidied up',
  top: 'Show what is used',
  volume: 'Look at the volumes of nodes',
};

export const commands: readonly Command[] = [
  allocChecks,
  allocExec,
  allocFs,
  allocLogs,
  allocRestart,
  allocSignal,
  allocStats,
  allocStatus,
  allocStop,
  annotate,
  apiResources,
  apply,
  authCanI,
  authWhoami,
  complete,
  completion,
  convert,
  configCurrent,
  configDelete,
  configGet,
  configSet,
  configUse,
  cp,
  createObjects,
  deleteObjects,
  deploymentFail,
  deploymentList,
  deploymentPause,
  deploymentPromote,
  deploymentResume,
  deploymentStatus,
  describe,
  diff,
  edit,
  evalDelete,
  evalList,
  evalStatus,
  events,
  explainFields,
  fmt,
  get,
  jobAction,
  jobAllocs,
  jobDeployments,
  jobDispatch,
  jobEval,
  jobHistory,
  jobInit,
  jobInspect,
  jobPeriodicForce,
  jobPlan,
  jobPromote,
  jobRestart,
  jobRevert,
  jobRun,
  jobScale,
  jobStart,
  jobStatus,
  jobStop,
  jobTagApply,
  jobTagUnset,
  jobValidate,
  keyringList,
  keyringRemove,
  keyringRotate,
  label,
  logs,
  namespaceApply,
  namespaceDelete,
  namespaceInspect,
  namespaceList,
  namespaceStatus,
  nodeDrain,
  nodeEligibility,
  monitor,
  nodeConfig,
  nodeMetaApply,
  nodeMetaRead,
  nodePoolApply,
  nodePoolDelete,
  nodePoolInfo,
  nodePoolJobs,
  nodePoolList,
  nodePoolNodes,
  nodeStatus,
  operatorApi,
  operatorMetrics,
  operatorSchedulerGetConfig,
  operatorSchedulerSetConfig,
  patchObject,
  portForward,
  replaceObjects,
  rolloutHistory,
  rolloutPause,
  rolloutRestart,
  rolloutResume,
  rolloutStatus,
  rolloutUndo,
  serverMembers,
  serviceInfo,
  serviceList,
  status,
  systemGc,
  systemReconcileSummaries,
  topAllocations,
  topNodes,
  varGet,
  varInit,
  varList,
  varLock,
  varPurge,
  varPut,
  ui,
  version,
  volumeStatus,
  wait,
];
