import { toTimestamp, type Instant } from '../../base/index.ts';
import type { Operation, OperationStatus, Stored } from '../../openapi/index.ts';

/** Whether what was asked for is done, or given up. */
export const isOver = ({ status }: Stored<Operation>): boolean => status?.phase === 'complete' || status?.phase === 'failed';

/** The status of one that is done. */
export const completed = (counts: Record<string, number>, description: string, now: Instant): OperationStatus => ({
  phase: 'complete',
  counts,
  description,
  finishedAt: toTimestamp(now),
});
