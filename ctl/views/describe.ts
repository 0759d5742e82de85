import type { AnyObject, Event, Stored } from '../../openapi/index.ts';
import { pairs, table } from '../io/columns.ts';
import { plain } from '../io/streams.ts';
import { age, localTime } from '../io/time.ts';
import { by } from './view.ts';

/** Everything about an object: what it is called, what it says, what happened to it. */
export function describeObject(
  object: Stored<AnyObject>,
  { events, problems }: { readonly events: readonly Stored<Event>[]; readonly problems: readonly string[] },
  now: number,
  toYaml: (value: unknown) => string,
): string {
  const { apiVersion, kind, metadata, ...rest } = object;
  const map = (values: Readonly<Record<string, string>> | undefined): string =>
    Object.entries(values ?? {})
      .sort(by(([key]) => key))
      .map(([key, value]) => `${key}=${value}`)
      .join(', ');
  const head = pairs([
    ['Name', metadata.name],
    ...(metadata.namespace === undefined ? [] : [['Namespace', metadata.namespace] as const]),
    ['Kind', `${kind} (${apiVersion})`],
    ['Labels', map(metadata.labels)],
    ['Annotations', map(metadata.annotations)],
    ['Created', `${localTime(metadata.creationTimestamp)} (${age(metadata.creationTimestamp, now)})`],
    ...(metadata.deletionTimestamp === undefined
      ? []
      : [['Being deleted', `since ${localTime(metadata.deletionTimestamp)}`] as const]),
    ['Generation', metadata.generation],
    ['Owned by', (metadata.ownerReferences ?? []).map((owner) => `${owner.kind}/${owner.name}`).join(', ')],
  ]);
  const sections = Object.entries(rest).map(
    ([name, value]) => `${name[0]!.toUpperCase()}${name.slice(1)}:\n${indent(toYaml(value).trimEnd())}`,
  );
  const trouble = problems.length === 0 ? [] : [`Problems:\n${indent(problems.map(plain).join('\n'))}`];
  return [
    head,
    ...sections,
    ...trouble,
    `Events:\n${events.length === 0 ? '  <none>' : indent(eventTable(events, now, false))}`,
  ].join('\n\n');
}

const indent = (text: string): string =>
  text
    .split('\n')
    .map((line) => (line === '' ? '' : `  ${line}`))
    .join('\n');

const lastSeen = (event: Stored<Event>): string =>
  event.lastTimestamp ?? event.eventTime ?? event.firstTimestamp ?? event.metadata.creationTimestamp;

/** Events, oldest first; with what they are about where that is not clear. */
export function eventTable(events: readonly Stored<Event>[], now: number, withObject: boolean): string {
  return table([eventHeadings(withObject), ...[...events].sort(by(lastSeen)).map((event) => eventRow(event, now, withObject))]);
}

export const eventHeadings = (withObject: boolean): string[] => [
  'Last Seen',
  'Type',
  'Reason',
  ...(withObject ? ['Object'] : ['From']),
  'Message',
];

export function eventRow(event: Stored<Event>, now: number, withObject: boolean): string[] {
  const { involvedObject: about, source, reportingComponent, count = 1 } = event;
  return [
    age(lastSeen(event), now) + (count > 1 ? ` (x${count})` : ''),
    event.type ?? 'Normal',
    event.reason ?? '',
    withObject ? `${(about?.kind ?? '').toLowerCase()}/${about?.name ?? ''}` : (source?.component ?? reportingComponent ?? ''),
    event.message ?? '',
  ];
}
