import type { Context } from '../command.ts';
import { plain, say } from '../io/streams.ts';
import { localTime } from '../io/time.ts';

/** The lines of a monitor: headlines begin with an arrow, steps are indented, both carry the time. */
export interface Lines {
  headline(text: string): void;
  step(text: string): void;
  /** A line of a step, without a time of its own. */
  detail(text: string): void;
}

export function monitorLines(context: Pick<Context, 'io' | 'clock' | 'style'>): Lines {
  const time = (): string => localTime(context.clock.now());
  return {
    headline: (text) => say(context, context.style.bold(`==> ${time()}: ${plain(text)}`)),
    step: (text) => say(context, `    ${time()}: ${plain(text)}`),
    detail: (text) => say(context, `    ${plain(text)}`),
  };
}
