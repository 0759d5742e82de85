/**
 * Fleets and workloads shaped like public traces of clusters: what machines there are, how sizes and numbers of tasks are spread, that
 * jobs come in bursts and leave after long-tailed times. The traces themselves are gigabytes; their shapes are a few numbers, and a seed
 * makes the same fleet and the same jobs again.
 */
import { randomFrom } from '../test/apiserver/storage/model.ts';

export interface Size {
  readonly cpu: number;
  readonly memory: number;
}

export interface TraceJob extends Size {
  readonly name: string;
  readonly type: 'service' | 'batch';
  readonly count: number;
  /** The bursts with which it comes, and before which it has gone. */
  readonly arrives: number;
  readonly leaves: number;
}

export interface Trace {
  readonly name: string;
  readonly machines: readonly Size[];
  /** In the order of their arrival, more of them than fit. */
  readonly jobs: readonly TraceJob[];
}

interface Shape {
  readonly name: string;
  readonly machine: (dice: Dice) => Size;
  readonly job: (dice: Dice) => Size & { readonly type: TraceJob['type']; readonly count: number };
}

type Dice = ReturnType<typeof diceFrom>;

const GB = 1024;

export const shapes: readonly Shape[] = [
  {
    // Google, 2011: half of the machines are of one kind, the others have half or more of its memory, few are twice or half as
    // large; most jobs are one small task, some are hundreds, and sizes go over three orders of magnitude.
    name: 'google 2011',
    machine: (dice) => {
      const [cpu, memory] = dice.one([[53, [0.5, 0.5]], [31, [0.5, 0.25]], [8, [0.5, 0.75]], [6, [1, 1]], [1, [0.25, 0.25]], [1, [0.5, 0.12]]]); // prettier-ignore
      return { cpu: cpu * 64_000, memory: memory * 256 * GB };
    },
    job: (dice) => {
      const large = dice.normal();
      const cpu = 600 * Math.exp(1.1 * large);
      return {
        type: dice.under(0.4) ? 'service' : 'batch',
        count: dice.under(0.4) ? 1 : dice.tail(2, 200, 1.1),
        cpu: clamp(cpu, 40, 16_000),
        memory: clamp(cpu * 3 * Math.exp(0.8 * dice.normal()), 32, 64 * GB),
      };
    },
  },
  {
    // Azure, 2017: virtual machines of whole cores, four fifths of them of one or two, with fixed memory for each core up to 112 GB;
    // hosts of two generations.
    name: 'azure 2017',
    machine: (dice) => dice.one([[60, { cpu: 96_000, memory: 256 * GB }], [40, { cpu: 115_200, memory: 384 * GB }]]), // prettier-ignore
    job: (dice) => {
      const cores = dice.one([[42, 1], [38, 2], [12, 4], [6, 8], [2, 16]]); // prettier-ignore
      const memory = Math.min(112, cores * dice.one([[45, 1.75], [40, 3.5], [12, 7], [3, 14]])); // prettier-ignore
      return { type: 'service', count: dice.under(0.6) ? 1 : dice.tail(1, 40, 1.3), cpu: cores * 2_400, memory: memory * GB };
    },
  },
  {
    // Alibaba, 2018: large machines that are all alike; long-running services of many cores beside batch jobs of many small tasks.
    name: 'alibaba 2018',
    machine: () => ({ cpu: 240_000, memory: 512 * GB }),
    job: (dice) => {
      if (dice.under(0.35)) {
        const cores = dice.one([[45, 4], [35, 8], [15, 16], [5, 32]]); // prettier-ignore
        return { type: 'service', count: dice.tail(1, 60, 1.2), cpu: cores * 2_500, memory: cores * dice.one([[60, 2], [30, 4], [10, 8]]) * GB }; // prettier-ignore
      }
      const cpu = dice.one([[50, 0.5], [40, 1], [10, 2]]) * 2_500; // prettier-ignore
      return { type: 'batch', count: dice.tail(3, 300, 1.1), cpu, memory: clamp((cpu / 2_500) * 1.2 * GB * Math.exp(0.6 * dice.normal()), 128, 32 * GB) }; // prettier-ignore
    },
  },
];

/** Bursts in which a fleet would fill up if nobody left, and for how many of them a job stays, at the median. */
const BURSTS = 60;
const STAY = 45;

/** Jobs come in bursts of very different sizes. With `churn` they leave again, so that the room that is left is in pieces. */
export function trace(shape: Shape, nodes: number, churn: boolean, seed: number): Trace {
  const dice = diceFrom(seed);
  const machines = Array.from({ length: nodes }, () => whole(shape.machine(dice)));
  const total = machines.reduce(plus);
  const jobs: TraceJob[] = [];
  // Enough for twice the fleet, so that the best of all ways to place them meets its end.
  for (let burst = 0, come = 0; come < (churn ? 4 : 2); burst++) {
    const share = (dice.under(0.15) ? 4 : 0.5) / BURSTS;
    for (let got = 0; got < share;) {
      const { type, count, ...size } = shape.job(dice);
      const { cpu, memory } = whole(size);
      const part = count * Math.max(cpu / total.cpu, memory / total.memory);
      const leaves = churn ? burst + 1 + Math.round(STAY * Math.exp(1.2 * dice.normal())) : Number.POSITIVE_INFINITY;
      jobs.push({ name: `job-${jobs.length}`, type, count, cpu, memory, arrives: burst, leaves });
      got += part;
      come += part;
    }
  }
  return { name: shape.name, machines, jobs };
}

export const plus = (a: Size, b: Size): Size => ({ cpu: a.cpu + b.cpu, memory: a.memory + b.memory });

const whole = ({ cpu, memory }: Size): Size => ({ cpu: Math.round(cpu), memory: Math.round(memory) });

const clamp = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value));

function diceFrom(seed: number) {
  const random = randomFrom(seed);
  return {
    under: (share: number): boolean => random() < share,
    /** One of several, by their weights in per cent. */
    one<T>(choices: readonly (readonly [number, T])[]): T {
      let at = random() * 100;
      for (const [weight, value] of choices) if ((at -= weight) < 0) return value;
      return choices.at(-1)![1];
    },
    /** A whole number from `least` to `most`, mostly small ones (Pareto). */
    tail: (least: number, most: number, power: number): number =>
      Math.min(most, Math.floor(least / (1 - random()) ** (1 / power))),
    normal: (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  };
}
