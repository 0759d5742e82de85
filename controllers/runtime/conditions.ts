import { toTimestampSeconds, type Instant } from '../../base/index.ts';
import type { Condition } from '../../openapi/index.ts';

export type Observation = {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
};

/** The conditions with these observations in them; the instant of a transition stays while its status stays. */
export function withConditions(
  conditions: readonly Condition[] | undefined,
  observations: readonly Observation[],
  now: Instant,
): Condition[] {
  const next = new Map((conditions ?? []).map((condition) => [condition.type, condition]));
  for (const observation of observations) {
    const known = next.get(observation.type);
    const unchangedSince = known?.status === observation.status ? known.lastTransitionTime : undefined;
    const lastTransitionTime = unchangedSince ?? toTimestampSeconds(now);
    next.set(observation.type, { ...observation, lastTransitionTime });
  }
  return [...next.values()];
}

export const conditionOf = (conditions: readonly Condition[] | undefined, type: string): Condition | undefined =>
  conditions?.find((condition) => condition.type === type);
