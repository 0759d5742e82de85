/** What users read beside an allocation that is not wanted any more. */
export const because = {
  notNeeded: 'alloc not needed due to job update',
  migrating: 'alloc is being migrated',
  updating: 'alloc is being updated due to job update',
  surging: 'alloc is started before the one that it replaces is stopped',
  lost: 'alloc is lost since its node is down',
  unknown: 'alloc is unknown since its node is disconnected',
  reconnected: 'alloc not needed since its node reconnected and another one was kept',
  rescheduled: 'alloc was rescheduled because it failed',
} as const;

/** What users read of evaluations. */
export const evaluationDescription = {
  blocked: 'created to place remaining allocations',
  rolling: 'created to go on with a rolling update',
  delayed: 'created for delayed rescheduling',
  disconnected: 'created for the case that the node stays disconnected',
  superseded: 'cancelled after more recent eval was processed',
  gone: 'job is gone',
} as const;

export const deploymentDescription = {
  running: 'Deployment is running',
  needsPromotion: 'Deployment is running but requires manual promotion',
  autoPromotion: 'Deployment is running pending automatic promotion',
} as const;
