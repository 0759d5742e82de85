import { parseDuration } from '../../../base/index.ts';
import type { AnyObject, Kind, Stored } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, type ClusterContext } from '../../command.ts';
import { CommandError, Interrupted } from '../../errors.ts';
import { say } from '../../io/streams.ts';
import { findKind, parseTargets, resourceName } from '../../kinds.ts';
import { listAll } from '../../lookup.ts';
import { jsonpath } from '../../views/jsonpath.ts';
import { watchOne } from '../../watch.ts';

type State = Stored<AnyObject> | undefined;

export const wait = defineClusterCommand({
  name: 'wait',
  summary: 'Wait until objects are in some state',
  usage: '[options] <kind> <name>… --for=<state>',
  description:
    'A state is "delete", "create", "condition=<type>[=<status>]", or "jsonpath=<template>[=<value>]". The exit code is 1 when the time is over.',
  examples: [
    { text: 'Until a job has all that it asks for', command: 'wait job example --for=condition=Placed' },
    { text: 'Until a rollout has succeeded', command: `wait deployment 9fa81f27 --for=jsonpath='{.status.phase}'=successful` },
    { text: 'Until it is gone', command: 'wait job/example --for=delete --timeout=1m' },
  ],
  args: { min: 1, rule: 'This command takes a kind and names: <kind> <name>…' },
  completes: 'kind',
  flags: {
    for: flag.string('<state>', 'What to wait for.'),
    timeout: flag.string('<duration>', 'For how long. Default 30s; 0 looks once, a negative one waits for a week.'),
    selector: flag.string('<labels>', 'All objects of the kind with these labels.', { short: 'l' }),
    all: flag.boolean('All objects of the kind in the namespace.'),
  },
  async run({ args, flags }, context) {
    if (flags.for === undefined) throw new CommandError('Say what to wait for: --for=condition=<type>, --for=delete …');
    const state = parseState(flags.for);
    const timeout = /^-/.test(flags.timeout ?? '') ? 7 * 24 * 3_600_000 : parseDuration(flags.timeout ?? '30s');
    if (timeout === undefined) throw new CommandError(`-timeout must be a duration such as 30s, not "${flags.timeout}"`);
    const targets = await targetsOf(context, args, flags);
    return context.interruptible(async (signal) => {
      const stop = new AbortController();
      const patience = context.clock.after(timeout, () => stop.abort());
      const until = AbortSignal.any([signal, stop.signal]);
      try {
        const late = (await Promise.all(targets.map((target) => reach(context, target, state, until)))).filter(
          (one) => one !== undefined,
        );
        if (signal.aborted) throw new Interrupted();
        for (const one of late) context.io.stderr.write(`error: timed out waiting for the condition on ${one}\n`);
        return late.length === 0 ? 0 : 1;
      } finally {
        patience.cancel();
        stop.abort();
      }
    });
  },
});

interface Target {
  readonly kind: Kind;
  readonly name: string;
}

async function targetsOf(
  context: ClusterContext,
  args: readonly string[],
  flags: { readonly selector: string | undefined; readonly all: boolean },
): Promise<Target[]> {
  const found: Target[] = [];
  for (const { kind: word, name } of parseTargets(args)) {
    const kind = await findKind(context, word);
    if (name !== undefined) found.push({ kind, name: await wholeName(context, kind, name) });
    else if (flags.selector === undefined && !flags.all)
      throw new CommandError(`Say which ${kind.plural}: names, -l <labels> or -all`);
    else {
      const selector = flags.selector === undefined ? {} : { labelSelector: flags.selector };
      for (const { metadata } of await listAll({ ...context, listNamespace: context.namespace }, kind, selector)) found.push({ kind, name: metadata.name }); // prettier-ignore
    }
  }
  return found;
}

/** IDs may be given by a prefix; a name that nothing has yet is waited for as it is. */
async function wholeName(context: ClusterContext, kind: Kind, name: string): Promise<string> {
  if (!/^[0-9a-f-]{2,35}$/.test(name)) return name;
  const all = await listAll({ ...context, listNamespace: context.namespace }, kind);
  const matches = all.filter(({ metadata }) => metadata.name.startsWith(name));
  return matches.length === 1 ? matches[0]!.metadata.name : name;
}

/** What to say on success, and whether a state of the object is the one. */
interface Wanted {
  readonly done: string;
  readonly reached: (object: State) => boolean;
}

function parseState(text: string): Wanted {
  if (text === 'delete') return { done: 'deleted', reached: (object) => object === undefined };
  if (text === 'create') return { done: 'created', reached: (object) => object !== undefined };
  const condition = /^condition=([^=]+)(?:=(.+))?$/.exec(text);
  if (condition !== null) {
    const [, type, status = 'True'] = condition;
    return {
      done: 'condition met',
      reached: (object) =>
        conditionsOf(object).some((one) => one.type?.toLowerCase() === type!.toLowerCase() && one.status?.toLowerCase() === status.toLowerCase()), // prettier-ignore
    };
  }
  const path = /^jsonpath=(['"]?)(\{.*\})\1(?:=(.*))?$/s.exec(text);
  if (path !== null) {
    const [, , template, value] = path;
    return {
      done: 'condition met',
      reached: (object) => {
        if (object === undefined) return false;
        const found = jsonpath(template!, object);
        return value === undefined ? found !== '' : found === value.replace(/^(['"])(.*)\1$/, '$2');
      },
    };
  }
  throw new CommandError(
    `"${text}" is no state to wait for; there are delete, create, condition=<type>[=<status>] and jsonpath=<template>[=<value>]`,
  );
}

const conditionsOf = (object: State): { type?: string; status?: string }[] =>
  (object as { status?: { conditions?: { type?: string; status?: string }[] } } | undefined)?.status?.conditions ?? [];

/** The object's label if the time was over first. */
async function reach(
  context: ClusterContext,
  { kind, name }: Target,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<string | undefined> {
  const namespace = kind.namespaced ? context.namespace : undefined;
  const label = `${resourceName(kind)}/${name}`;
  const now = await context.client.find(kind, name, namespace);
  if (wanted.reached(now)) {
    say(context, `${label} ${wanted.done}`);
    return undefined;
  }
  for await (const object of watchOne(context.client, kind, name, namespace, { clock: context.clock, signal }))
    if (wanted.reached(object)) {
      say(context, `${label} ${wanted.done}`);
      return undefined;
    }
  return label;
}
