import type { IncomingMessage } from 'node:http';
import { ApiError, parseTimestamp, type Instant } from '../../base/index.ts';
import { jsonFormat, type Format } from '../registry/feeds.ts';
import type { ApiKind, PrinterColumn } from '../registry/kinds.ts';
import type { ListResult } from '../registry/registry.ts';
import { maySensitive, withoutSecrets } from '../registry/sensitive.ts';
import type { EventType, Version } from '../registry/version.ts';

/** How an answer is written: the objects themselves, a table for people, or metadata alone. */
export type Representation = (
  | { readonly type: 'json' }
  | { readonly type: 'table'; readonly version: string; readonly include: 'None' | 'Metadata' | 'Object' }
  | { readonly type: 'metadata'; readonly version: string }
) & {
  /** With secret values, instead of a mark in their place. */
  readonly secrets?: true;
};

/** How a request wants its answer. */
export function representationOf({ headers }: IncomingMessage, query: URLSearchParams): Representation {
  const as = negotiate(headers.accept, query.get('includeObject'));
  const asked = headers['orch-sensitive'];
  if (asked === undefined || asked === 'hide') return as;
  if (asked !== 'show') throw new ApiError('BadRequest', 'the Orch-Sensitive header must be "show" or "hide"');
  return { ...as, secrets: true };
}

/** What may be shown of a version. */
const visibleTo = (kind: ApiKind, as: Representation): ((version: Version) => Version) =>
  as.secrets !== true && maySensitive(kind) ? withoutSecrets : (version) => version;

const json: Representation = { type: 'json' };

/** The first media type of the Accept header that can be given. */
export function negotiate(accept: string | undefined, includeObject: string | null): Representation {
  if (accept === undefined || accept === '*/*' || accept === 'application/json' || accept === '') return json;
  for (const range of accept.split(',')) {
    const [type, ...rest] = range.split(';').map((part) => part.trim());
    if (type !== 'application/json' && type !== 'application/*' && type !== '*/*') continue;
    const params = new Map(rest.map((param) => [param.slice(0, param.indexOf('=')), param.slice(param.indexOf('=') + 1)]));
    const as = params.get('as');
    if (as === undefined) return json;
    const version = params.get('v') ?? 'v1';
    if (params.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) continue;
    if (as === 'Table') {
      const include = includeObject || 'Metadata';
      if (include !== 'None' && include !== 'Metadata' && include !== 'Object') {
        throw new ApiError('BadRequest', 'includeObject must be None, Metadata or Object');
      }
      return { type: 'table', version, include };
    }
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { type: 'metadata', version };
  }
  throw new ApiError('NotAcceptable', `only application/json is served (asked for ${accept.slice(0, 200)})`);
}

interface Row {
  cells: unknown[];
  object?: unknown;
}

export const columnDefinitions = (kind: ApiKind): object[] => [
  { name: 'Name', type: 'string', format: 'name', description: 'Name must be unique within a namespace.', priority: 0 },
  ...kind.columns.map(({ name, type, format, description, priority }) => ({
    name,
    type: type === 'date' ? 'string' : type,
    format: type === 'date' ? '' : format,
    description,
    priority,
  })),
];

export function rowOf(kind: ApiKind, { object }: Version, now: Instant, include: 'None' | 'Metadata' | 'Object'): Row {
  const cells = [object.metadata.name, ...kind.columns.map((column) => cell(column, column.path(object), now))];
  switch (include) {
    case 'None':
      return { cells, object: null };
    case 'Metadata':
      return { cells, object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata } };
    case 'Object':
      return { cells, object };
  }
}

function cell({ type }: PrinterColumn, values: readonly unknown[], now: Instant): unknown {
  const value = values[0];
  if (value === undefined || value === null) return type === 'date' ? '<unknown>' : null;
  switch (type) {
    case 'date': {
      const at = parseTimestamp(String(value));
      return at === undefined ? '<invalid>' : formatAge(now - at);
    }
    case 'integer':
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    default:
      if (values.length > 1) return values.map(plain).join(',');
      return plain(value);
  }
}

const plain = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** An age as kubectl prints it: 45s, 5m30s, 12m, 3h20m, 2d4h, 400d, 3y. */
export function formatAge(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  const years = Math.floor(days / 365);
  const both = (big: number, a: string, small: number, b: string): string =>
    small === 0 ? `${big}${a}` : `${big}${a}${small}${b}`;
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return both(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return both(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  if (days < 8) return both(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  if (years < 8) return both(years, 'y', days % 365, 'd');
  return `${years}y`;
}

const metadataOnly = ({ object }: Version, version: string): object => ({
  kind: 'PartialObjectMetadata',
  apiVersion: `meta.k8s.io/${version}`,
  metadata: object.metadata,
});

const table = (kind: ApiKind, version: string, metadata: object, rows: Row[]): object => ({
  kind: 'Table',
  apiVersion: `meta.k8s.io/${version}`,
  metadata,
  columnDefinitions: columnDefinitions(kind),
  rows,
});

/** One object as bytes. */
export function renderObject(kind: ApiKind, whole: Version, as: Representation, now: Instant): Buffer {
  const version = visibleTo(kind, as)(whole);
  switch (as.type) {
    case 'json':
      return version.bytes;
    case 'table':
      return toBytes(
        table(kind, as.version, { resourceVersion: String(version.revision) }, [rowOf(kind, version, now, as.include)]),
      );
    case 'metadata':
      return toBytes(metadataOnly(version, as.version));
  }
}

const COMMA = Buffer.from(',');
const END = Buffer.from(']}\n');

/** A list as bytes, in parts: the objects' own bytes are among them, uncopied. */
export function renderList(kind: ApiKind, whole: ListResult, as: Representation, now: Instant): Buffer[] {
  const list = as.secrets === true || !maySensitive(kind) ? whole : { ...whole, versions: whole.versions.map(withoutSecrets) };
  const metadata = {
    resourceVersion: String(list.revision),
    ...(list.continue !== undefined && { continue: list.continue }),
    ...(list.remaining !== undefined && { remainingItemCount: list.remaining }),
  };
  switch (as.type) {
    case 'json': {
      const head = `{"kind":${JSON.stringify(kind.listKind)},"apiVersion":${JSON.stringify(kind.apiVersion)},"metadata":${JSON.stringify(metadata)},"items":[`;
      const parts: Buffer[] = [Buffer.from(head)];
      list.versions.forEach((version, i) => {
        if (i > 0) parts.push(COMMA);
        parts.push(version.bytes);
      });
      parts.push(END);
      return parts;
    }
    case 'table':
      return [toBytes(table(kind, as.version, metadata, list.versions.map((version) => rowOf(kind, version, now, as.include))))]; // prettier-ignore
    case 'metadata': {
      const items = list.versions.map((version) => metadataOnly(version, as.version));
      return [toBytes({ kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${as.version}`, metadata, items })];
    }
  }
}

/** How events of a watch are written. */
export function watchFormat(kind: ApiKind, as: Representation, now: () => Instant): Format {
  const visible = visibleTo(kind, as);
  const name = as.secrets === true ? ' with secrets' : '';
  switch (as.type) {
    case 'json':
      if (as.secrets === true || !maySensitive(kind)) return jsonFormat;
      return {
        name: 'json without secrets',
        line: (type, version) => visible(version).line(type),
        initial: (version) => visible(version).parts('ADDED'),
      };
    case 'table':
      return rendered(`table/${as.version}/${as.include}${name}`, (version) =>
        table(kind, as.version, { resourceVersion: String(version.revision) }, [
          rowOf(kind, visible(version), now(), as.include),
        ]),
      );
    case 'metadata':
      return rendered(`metadata/${as.version}${name}`, (version) => metadataOnly(visible(version), as.version));
  }
}

function rendered(name: string, render: (version: Version) => object): Format {
  const line = (type: EventType, version: Version): Buffer => eventLine(type, render(version));
  return { name, line, initial: (version) => [line('ADDED', version)] };
}

/** A bookmark: the revision up to which everything was sent. */
export function bookmarkLine(kind: ApiKind, as: Representation, revision: number, initialEventsEnd: boolean): Buffer {
  const metadata = {
    resourceVersion: String(revision),
    creationTimestamp: null,
    ...(initialEventsEnd && { annotations: { 'k8s.io/initial-events-end': 'true' } }),
  };
  switch (as.type) {
    case 'json':
      return eventLine('BOOKMARK', { kind: kind.kind, apiVersion: kind.apiVersion, metadata });
    case 'table':
      return eventLine('BOOKMARK', {
        kind: 'Table',
        apiVersion: `meta.k8s.io/${as.version}`,
        metadata,
        columnDefinitions: null,
        rows: [],
      });
    case 'metadata':
      return eventLine('BOOKMARK', { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${as.version}`, metadata });
  }
}

export function errorLine(error: ApiError): Buffer {
  return Buffer.from(JSON.stringify({ type: 'ERROR', object: error.toStatus() }) + '\n');
}

const eventLine = (type: EventType | 'BOOKMARK', object: object): Buffer => Buffer.from(JSON.stringify({ type, object }) + '\n');
const toBytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value) + '\n');
