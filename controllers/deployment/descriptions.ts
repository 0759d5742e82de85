/** The sentences that users of deployments know. */
export const description = {
  running: 'Deployment is running',
  needsPromotion: 'Deployment is running but requires manual promotion',
  autoPromotion: 'Deployment is running pending automatic promotion',
  paused: 'Deployment is paused',
  successful: 'Deployment completed successfully',
  stoppedJob: 'Cancelled because job is stopped',
  newerJob: 'Cancelled due to newer version of job',
  unhealthy: 'Failed due to unhealthy allocations',
  progressDeadline: 'Failed due to progress deadline',
  failedByUser: 'Deployment marked as failed',
} as const;

export const rollingBack = (reason: string, version: number): string => `${reason} - rolling back to job version ${version}`;

export const sameSpecification = (reason: string, version: number): string =>
  `${reason} - not rolling back to stable job version ${version} as current job has same specification`;

export const noStableVersion = (reason: string): string => `${reason} - no stable job version to auto revert to`;
