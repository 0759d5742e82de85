import { EventKind } from '../../../openapi/index.ts';
import { defineClusterCommand, flag, noArguments } from '../../command.ts';
import { CommandError, Interrupted } from '../../errors.ts';
import { say } from '../../io/streams.ts';
import { sayJson } from '../../io/json.ts';
import { findKind, parseTargets } from '../../kinds.ts';
import { listAll } from '../../lookup.ts';
import { eventRow, eventTable } from '../../views/describe.ts';
import { alignRows } from '../../views/server-table.ts';
import { watchAll } from '../../watch.ts';
import { allNamespaces, json } from '../options.ts';

export const events = defineClusterCommand({
  name: 'events',
  summary: 'Show what happened lately',
  usage: '[options]',
  description: 'Events are kept for an hour.',
  examples: [
    { text: 'As it happens', command: 'events -w' },
    { text: 'To one object', command: 'events -for job/example' },
  ],
  args: noArguments,
  flags: {
    for: flag.string('<kind/name>', 'Only events about this object.'),
    watch: flag.boolean('Then go on with what happens.', { short: 'w' }),
    allNamespaces,
    json,
  },
  async run({ flags }, context) {
    const namespace = flags.allNamespaces ? undefined : context.listNamespace;
    const about = flags.for === undefined ? undefined : parseTargets([flags.for])[0];
    if (about !== undefined && about.name === undefined) throw new CommandError('-for takes kind/name, such as job/example');
    const fieldSelector =
      about === undefined
        ? undefined
        : `involvedObject.kind=${(await findKind(context, about.kind)).kind},involvedObject.name=${about.name}`;
    const selector = fieldSelector === undefined ? {} : { fieldSelector };
    const known = await listAll({ ...context, listNamespace: namespace }, EventKind, selector);
    if (flags.json && !flags.watch) return sayJson(context, known);
    const now = context.clock.now();
    if (!flags.watch) return say(context, known.length === 0 ? 'No events' : eventTable(known, now, true));

    return context.interruptible(async (signal) => {
      const widths: number[] = [];
      if (known.length > 0) say(context, eventTable(known, now, true));
      const seen = new Map(known.map(({ metadata }) => [metadata.uid, metadata.resourceVersion]));
      const options = { clock: context.clock, signal };
      for await (const { type, object } of watchAll(context.client, EventKind, { namespace, fieldSelector }, options)) {
        if (type === 'DELETED' || seen.get(object.metadata.uid) === object.metadata.resourceVersion) continue;
        seen.set(object.metadata.uid, object.metadata.resourceVersion);
        say(context, alignRows([eventRow(object, context.clock.now(), true)], widths));
      }
      throw new Interrupted();
    });
  },
});
