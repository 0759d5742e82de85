import type { Context } from '../command.ts';
import { say } from './streams.ts';

/** Prints a value as JSON. */
export function sayJson(context: Pick<Context, 'io'>, value: unknown): void {
  say(context, JSON.stringify(value, undefined, 4));
}
