import { shortId, type Instant } from '../../base/index.ts';
import { age, localTime } from '../io/time.ts';
import { plainStyle, type Style } from '../io/style.ts';

/** How a view is to be drawn. Views are pure: objects in, text out. */
export interface View {
  readonly now: Instant;
  /** Whole IDs and times instead of the first eight characters and ages. */
  readonly verbose: boolean;
  readonly style: Style;
}

export const view = (now: Instant, verbose = false, style: Style = plainStyle): View => ({ now, verbose, style });

/** An ID as the view shows it. */
export const id = (view: Pick<View, 'verbose'>, value: string | undefined): string =>
  value === undefined ? '' : view.verbose ? value : shortId(value);

/** An instant as the view shows it: how long ago, or when. */
export const when = (view: View, at: Instant | string | null | undefined): string =>
  view.verbose ? localTime(at) : age(at, view.now);

/** Blocks with an empty line between them. */
export const blocks = (...parts: readonly (string | undefined | false)[]): string =>
  parts.filter((part): part is string => typeof part === 'string').join('\n\n');

/** A heading with its text below. */
export const section = (view: Pick<View, 'style'>, heading: string, body: string): string =>
  `${view.style.bold(heading)}\n${body}`;

/** Compares for sorting, by one key. */
export const by =
  <T>(key: (item: T) => string | number) =>
  (a: T, b: T): number => {
    const [x, y] = [key(a), key(b)];
    return x < y ? -1 : x > y ? 1 : 0;
  };

/** Sorts by one key, largest first; ties by the other, smallest first. */
export const newestFirst = <T>(items: readonly T[], key: (item: T) => string | number, tie: (item: T) => string | number): T[] =>
  [...items].sort((a, b) => by(key)(b, a) || by(tie)(a, b));
