/** `npm run simulate`: runs histories of consecutive seeds and prints those that go wrong, cut down. One of several such processes. */
import { parseArgs } from 'node:util';
import { readFileSync } from 'node:fs';
import { generate, type Scenario } from './scenario.ts';
import { shrink } from './shrink.ts';
import { isGood, simulate, type Outcome } from './simulate.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    stride: { type: 'string', default: '1' },
    scenario: { type: 'string' },
    log: { type: 'boolean', default: false },
  },
});

const write = values.log ? (line: string): void => void process.stdout.write(line) : undefined;
const stride = Number(values.stride);
let failed = 0;

function describe({ violations, unsettled, lasted, revisions }: Outcome): string {
  const first = violations[0];
  return first === undefined
    ? `not settled after ${Math.round(lasted / 1000)} s and ${revisions} revisions:\n    ${unsettled.slice(0, 8).join('\n    ')}`
    : `${first.invariant} at revision ${first.revision}, ${new Date(first.at).toISOString()}: ${first.message}`;
}

async function tell(scenario: Scenario): Promise<void> {
  const outcome = await simulate(scenario, { write });
  if (isGood(outcome)) return;
  failed++;
  console.log(`FAIL seed ${scenario.seed}: ${describe(outcome)}`);
  const short = await shrink(scenario, (candidate) => simulate(candidate));
  console.log(`  the shortest history that shows it (${short.steps.length} of ${scenario.steps.length} steps):`);
  console.log(`  ${JSON.stringify(short)}`);
}

if (values.scenario !== undefined) await tell(JSON.parse(readFileSync(values.scenario, 'utf8')) as Scenario);
else {
  const from = Number(values.from);
  for (let seed = from; seed < from + Number(values.seeds) * stride; seed += stride) {
    await tell(generate(seed));
    process.send?.({ done: seed });
  }
}
process.exit(failed === 0 ? 0 : 1);
