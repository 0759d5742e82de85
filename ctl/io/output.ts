import { flag, type Context } from '../command.ts';
import { CommandError } from '../errors.ts';
import { goJson } from './go-json.ts';
import { say } from './streams.ts';

/** How commands of Nomad's kind print data instead of text. */
export const formatFlags = {
  json: flag.boolean("Print JSON, in the form of Nomad's API."),
  t: flag.string('<template>', "Print what a template of Go's kind makes of that: '{{.ID}}'."),
} as const;

export interface FormatFlags {
  readonly json?: boolean;
  readonly t?: string | undefined;
}

/** Whether data are wanted. */
export function wantsData({ json, t }: FormatFlags): boolean {
  if (json === true && t !== undefined) throw new CommandError('Both json and template formatting are not allowed');
  if (t === '') throw new CommandError('A template needs to be specified');
  return json === true || t !== undefined;
}

/** Prints data as was asked for; fields come in the order of their names. */
export async function sayData(context: Pick<Context, 'io'>, { t }: FormatFlags, data: unknown): Promise<void> {
  const { sorted } = await import('../nomad/values.ts');
  if (t === undefined) return say(context, goJson(sorted(data)));
  const { goTemplate } = await import('../views/go-template.ts');
  say(context, goTemplate(t, data));
}
