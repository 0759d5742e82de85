import type { Scenario } from './scenario.ts';
import type { Outcome } from './simulate.ts';
import { isGood } from './simulate.ts';

/**
 * A shorter history that still goes wrong in the same way: steps are left out one by one, and then a machine, a server, a host of
 * controllers, as long as that is so. At most `tries` runs.
 */
export async function shrink(scenario: Scenario, run: (scenario: Scenario) => Promise<Outcome>, tries = 80): Promise<Scenario> {
  const kind = kindOf(await run(scenario));
  let best = scenario;
  let left = tries;
  const stillFails = async (candidate: Scenario): Promise<boolean> => {
    if (left-- <= 0) return false;
    const outcome = await run(candidate);
    return !isGood(outcome) && kindOf(outcome) === kind;
  };
  for (let progress = true; progress && left > 0;) {
    progress = false;
    for (let at = best.steps.length - 1; at >= 0; at--) {
      const candidate = { ...best, steps: best.steps.filter((_, i) => i !== at) };
      if (!(await stillFails(candidate))) continue;
      best = candidate;
      progress = true;
    }
  }
  const used = Math.max(1, ...best.steps.map((step) => ('node' in step ? step.node + 1 : 0)));
  for (const smaller of [
    { ...best, machines: best.machines.slice(0, used) },
    { ...best, servers: 1 },
    { ...best, controllerHosts: 1 },
  ]) {
    const merged = { ...best, ...smaller, steps: best.steps };
    if (fits(merged) && (await stillFails(merged))) best = merged;
  }
  return best;
}

/** Which property broke, or that something did not come to an end. */
const kindOf = ({ violations, unsettled }: Outcome): string =>
  violations[0]?.invariant ?? (unsettled.length > 0 ? 'liveness' : '');

/** Whether the steps name only what is there. */
function fits({ steps, servers, controllerHosts, machines }: Scenario): boolean {
  return steps.every((step) => {
    if ('node' in step && step.node >= machines.length) return false;
    if ('server' in step && step.server >= servers) return false;
    return !('host' in step) || step.host < controllerHosts;
  });
}
