/**
 * Judges what clients saw of a store while they worked on it all at once and it was being killed: replays the log of events, and holds
 * every operation and every watch against it.
 *
 * A store gives each transaction a revision, so there is no order to search for: the log says which one it was. Only transactions of one
 * write may share one, when no order of them could matter. What remains to be seen:
 * - each transaction happened as a whole, once, at its revision, on a state that its compares held on; a refused one never happened; of
 *   one without an answer nothing is known, but it happened once or not at all;
 * - nothing was answered from the past: no answer is older than one that anybody had before it was asked for;
 * - what was read is the state at the revision of the answer;
 * - a watch saw the log of its range: everything from its start on, in order, once, and what came before each change.
 */
import { inRange, compareKeys } from '../../../apiserver/storage/keys.ts';
import type { Compare, KeyRange, LeaseId, RangeResult, Revision, StoreEvent, Write } from '../../../apiserver/storage/store.ts';

export interface Operation {
  readonly id: number;
  /** The newest revision that anybody had been told of when it began, and when its answer came. */
  readonly floor: Revision;
  ceiling?: Revision;
  readonly ask: Ask;
  /** Absent: it failed, and nobody knows what came of it. */
  answer?: Answer;
}

export type Ask =
  | { readonly type: 'txn'; readonly compares: readonly Compare[]; readonly writes: readonly Write[] }
  | { readonly type: 'range'; readonly range: KeyRange; readonly limit: number; readonly at: Revision | undefined }
  | { readonly type: 'revision' }
  | { readonly type: 'revoke'; readonly lease: LeaseId };

export type Answer =
  /** Revision 0: it was done, and the answer does not say where. */
  | { readonly type: 'written'; readonly revision: Revision }
  /** Without `found` the store does not say what is there instead. */
  | { readonly type: 'refused'; readonly revision: Revision; readonly found?: readonly (string | undefined)[] }
  | { readonly type: 'items'; readonly revision: Revision; readonly items: readonly string[]; readonly count: number; readonly more: boolean } // prettier-ignore
  | { readonly type: 'revision'; readonly revision: Revision }
  | { readonly type: 'revoked' };

/** What one watch saw, from when it was opened until it was left. */
export interface Watched {
  readonly range: KeyRange;
  /** The first revision that it must see. */
  readonly from: Revision;
  /** Where it began with what comes next: the newest revision that was known then; it sees nothing before it. */
  readonly after: Revision;
  readonly batches: readonly { readonly revision: Revision; readonly events: readonly StoreEvent[] }[];
  /** Each event is a batch by itself, so that the last may be one of several of its revision. */
  readonly single?: boolean;
}

export interface History {
  /** Nothing of the range was there at this revision. */
  readonly start: Revision;
  /** All events from there on. */
  readonly log: readonly StoreEvent[];
  readonly operations: readonly Operation[];
  readonly watches: readonly Watched[];
  /** What was there in the end, when all was quiet. */
  readonly end: RangeResult;
}

interface Entry {
  readonly value: string;
  readonly created: Revision;
  readonly modified: Revision;
  readonly lease: LeaseId | undefined;
}
type State = ReadonlyMap<string, Entry>;

/** Every way in which the history cannot be that of a store; empty when it can. */
export function check(history: History): string[] {
  const problems: string[] = [];
  const say = (problem: string): void => void (problems.length < 20 && problems.push(problem));
  const states = replay(history, say);
  for (const operation of history.operations) checkOperation(operation, states, say);
  history.watches.forEach((watch, i) => checkWatch(watch, i, history, say));
  const end = states.at(history.end.revision);
  same(history.end.items.map(shown), all(end), `the end at ${history.end.revision}`, say);
  return problems;
}

class States {
  readonly #revisions: Revision[];
  readonly #states: State[];

  constructor(start: Revision) {
    this.#revisions = [start];
    this.#states = [new Map()];
  }

  get last(): State {
    return this.#states.at(-1)!;
  }

  push(revision: Revision, state: State): void {
    this.#revisions.push(revision);
    this.#states.push(state);
  }

  /** The state at a revision, which may have been one of other keys. */
  at(revision: Revision): State {
    let low = 0;
    let high = this.#revisions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#revisions[middle]! <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#states[Math.max(0, low - 1)]!;
  }

  between(from: Revision, to: Revision): State[] {
    return [this.at(from), ...this.#states.filter((_, i) => this.#revisions[i]! > from && this.#revisions[i]! <= to)];
  }
}

function replay({ start, log, operations }: History, say: (problem: string) => void): States {
  const states = new States(start);
  const byValue = new Map<string, Operation>();
  const byRevision = new Map<Revision, Operation[]>(); // also such that changed nothing
  const silent = new Set<Operation>(); // deletes without an answer: no value tells whose they were
  const revoked = new Map<LeaseId, Operation>();
  for (const operation of operations) {
    const { ask, answer } = operation;
    if (ask.type === 'revoke') revoked.set(ask.lease, operation);
    if (ask.type !== 'txn') continue;
    for (const write of ask.writes) if (write.type === 'put') byValue.set(write.value.toString(), operation);
    if (answer?.type === 'written' && answer.revision !== 0)
      byRevision.set(answer.revision, [...(byRevision.get(answer.revision) ?? []), operation]);
    if (
      (answer === undefined || (answer.type === 'written' && answer.revision === 0)) &&
      ask.writes.every(({ type }) => type === 'delete')
    )
      silent.add(operation);
  }
  const happened = new Map<Operation, Revision>();
  let before = start;
  for (const { revision, events } of groups(log)) {
    if (revision <= before) say(`the log goes from ${before} to ${revision}`);
    before = revision;
    const state = states.last;
    const next = new Map(state);
    for (const event of events) apply(event, revision, state, next, say);
    states.push(revision, next);

    // Deletes do not tell whose they are. Of those that could be, who was told that it was done did it; a lease may always be it.
    const told = byRevision.get(revision) ?? [];
    const whose = (part: readonly StoreEvent[]): Operation | undefined => {
      const could = (one: Operation): boolean => one.floor < revision && explains(one, part, state);
      const put = part.find((event) => event.type === 'put');
      if (put?.type === 'put') return byValue.get(put.kv.value.toString());
      const quiet = [...silent].sort((a, b) => Number(a.answer === undefined) - Number(b.answer === undefined));
      return told.find(could) ?? (byLease(part, state, revoked) ? undefined : quiet.find(could));
    };
    const whole = whose(events);
    const together =
      events.length === 1 || byLease(events, state, revoked) || (whole !== undefined && writesOf(whole).length > 1);
    const parts = together ? [events] : events.map((event) => [event]);
    for (const part of parts) {
      const text = part.map(brief).join(', ');
      const found = whose(part);
      if (found === undefined) {
        if (!byLease(part, state, revoked)) say(`${revision}: nobody did ${text}`);
        continue;
      }
      if (happened.has(found)) say(`operation ${found.id} happened at ${happened.get(found)} and at ${revision}: ${text}`);
      happened.set(found, revision);
      silent.delete(found);
      if (found.answer?.type === 'refused') say(`operation ${found.id} was refused, and happened at ${revision}: ${text}`);
      if (found.answer?.type === 'written' && found.answer.revision !== revision && found.answer.revision !== 0)
        say(`operation ${found.id} happened at ${revision}, and was told ${found.answer.revision}`);
      if (revision <= found.floor) say(`operation ${found.id} happened at ${revision}, before it began (after ${found.floor})`);
      if (!explains(found, part, state)) say(`operation ${found.id} did not happen as a whole, or should not have, at ${revision}: ${text}`); // prettier-ignore
      const others = events.filter((event) => !part.includes(event)).map(keyOf);
      if (found.ask.type === 'txn' && found.ask.compares.some(({ key }) => others.includes(key)))
        say(`operation ${found.id} shares ${revision} with one that writes what it compares: ${events.map(brief).join(', ')}`);
    }
  }
  for (const operation of operations) {
    const { ask, answer } = operation;
    if (ask.type !== 'txn' || answer?.type !== 'written' || happened.has(operation)) continue;
    const state = states.at(answer.revision);
    if (answer.revision === 0 || effect(operation, state).length > 0) say(`operation ${operation.id} was told ${answer.revision}, and the log does not have it`); // prettier-ignore
  }
  return states;
}

/** Whether the events are all keys of a lease that was revoked. */
function byLease(events: readonly StoreEvent[], state: State, revoked: ReadonlyMap<LeaseId, Operation>): boolean {
  const lease = events.every((event) => event.type === 'delete') ? state.get(keyOf(events[0]!))?.lease : undefined;
  if (lease === undefined || !revoked.has(lease)) return false;
  const bound = [...state].filter(([, entry]) => entry.lease === lease).map(([key]) => key);
  return bound.length === events.length && events.every((event) => bound.includes(keyOf(event)));
}

function apply(
  event: StoreEvent,
  revision: Revision,
  state: State,
  next: Map<string, Entry>,
  say: (problem: string) => void,
): void {
  const key = keyOf(event);
  const was = state.get(key);
  const previous = event.previous && `${event.previous.value.toString()} @${event.previous.modRevision}`;
  const expected = was && `${was.value} @${was.modified}`;
  // A store may have forgotten what was there before; one that says so must be right.
  if (previous !== undefined && previous !== expected) say(`${revision}: ${key} was ${expected}, the log says ${previous}`);
  if (event.type === 'delete') {
    if (was === undefined) say(`${revision}: ${key} is deleted, and was not there`);
    next.delete(key);
    return;
  }
  const { createRevision, value, lease } = event.kv;
  if (createRevision > 0 && createRevision !== (was?.created ?? revision))
    say(`${revision}: ${key} is said to be from ${createRevision}`);
  next.set(key, { value: value.toString(), created: createRevision, modified: revision, lease });
}

const writesOf = ({ ask }: Operation): readonly Write[] => (ask.type === 'txn' ? ask.writes : []);

/** The keys that a transaction changes in a state. */
function effect({ ask }: Operation, state: State): string[] {
  if (ask.type !== 'txn') return [];
  return ask.writes.filter(({ type, key }) => type === 'put' || state.has(key)).map(({ key }) => key);
}

function explains(operation: Operation, events: readonly StoreEvent[], state: State): boolean {
  const { ask } = operation;
  if (ask.type !== 'txn' || !holds(ask.compares, state)) return false;
  const wanted = effect(operation, state);
  if (wanted.length !== events.length) return false;
  return events.every((event) => {
    const write = ask.writes.find(({ key }) => key === keyOf(event));
    if (write?.type !== event.type) return false;
    return (
      event.type === 'delete' || (write.type === 'put' && write.value.equals(event.kv.value) && write.lease === event.kv.lease)
    );
  });
}

const holds = (compares: readonly Compare[], state: State): boolean =>
  compares.every(({ key, modRevision }) => (state.get(key)?.modified ?? 0) === modRevision);

function checkOperation(operation: Operation, states: States, say: (problem: string) => void): void {
  const { id, floor, ceiling, ask, answer } = operation;
  if (answer === undefined || answer.type === 'revoked') return;
  if (answer.type === 'written' && answer.revision === 0) return;
  if (answer.revision < floor) say(`operation ${id} was told ${answer.revision} when ${floor} was known already`);
  const state = states.at(answer.revision);
  if (answer.type === 'refused' && ask.type === 'txn') {
    if (answer.found === undefined) {
      if (states.between(floor, ceiling!).every((one) => holds(ask.compares, one))) say(`operation ${id} was refused without a reason`); // prettier-ignore
      return;
    }
    if (holds(ask.compares, state)) say(`operation ${id} was refused, and could have been done at ${answer.revision}`);
    same(answer.found, ask.compares.map(({ key }) => text(key, state.get(key))), `what refused operation ${id} at ${answer.revision}`, say); // prettier-ignore
  }
  if (answer.type === 'items' && ask.type === 'range') {
    const { range, limit, at } = ask;
    const expected = all(at === undefined ? state : states.at(at), range);
    const wanted = limit > 0 ? expected.slice(0, limit) : expected;
    same(answer.items, wanted, `operation ${id} read at ${at ?? answer.revision}`, say);
    if (answer.count !== expected.length || answer.more !== expected.length > wanted.length)
      say(`operation ${id} counted ${answer.count} of ${expected.length}`);
  }
}

function checkWatch(
  { range, from, after, batches, single = false }: Watched,
  i: number,
  { log }: History,
  say: (problem: string) => void,
): void {
  const name = `watch ${i} of ${range.start} from ${from}`;
  const seen = batches.flatMap(({ events }) => events);
  let reached = 0;
  for (const batch of batches) {
    if (batch.revision < reached) say(`${name} goes back from ${reached} to ${batch.revision}`);
    const early = (revision: Revision): boolean => (single ? revision < reached : revision <= reached);
    if (batch.events.some((event) => early(revisionOf(event)) || revisionOf(event) > batch.revision))
      say(`${name} has an event outside of its batch, which goes from ${reached} to ${batch.revision}`);
    reached = batch.revision;
  }
  const first = seen[0] === undefined ? from : Math.min(from, revisionOf(seen[0]));
  if (first <= after) say(`${name} sees ${first}, and began after ${after}`);
  const wanted = log.filter(
    (event) => revisionOf(event) >= first && revisionOf(event) <= reached && inRange(range, keyOf(event)),
  );
  const got = sorted(seen);
  // What it would have seen of its last revision is not known.
  const cut = wanted.filter((event) => !single || revisionOf(event) < reached || got.includes(brief(event)));
  same(got, sorted(cut), name, say);
}

/** The order within one revision is the store's business. */
const sorted = (events: readonly StoreEvent[]): string[] =>
  [...events].sort((a, b) => revisionOf(a) - revisionOf(b) || compareKeys(keyOf(a), keyOf(b))).map(brief);

function* groups(log: readonly StoreEvent[]): Generator<{ revision: Revision; events: StoreEvent[] }> {
  let events: StoreEvent[] = [];
  for (const event of log) {
    if (events.length > 0 && revisionOf(events[0]!) !== revisionOf(event)) {
      yield { revision: revisionOf(events[0]!), events };
      events = [];
    }
    events.push(event);
  }
  if (events.length > 0) yield { revision: revisionOf(events[0]!), events };
}

const keyOf = (event: StoreEvent): string => (event.type === 'put' ? event.kv.key : event.key);
const revisionOf = (event: StoreEvent): Revision => (event.type === 'put' ? event.kv.modRevision : event.revision);
const brief = (event: StoreEvent): string =>
  event.type === 'put' ? `${event.kv.modRevision} ${event.kv.key}=${event.kv.value.toString()}` : `${event.revision} delete ${event.key}`; // prettier-ignore

const text = (key: string, entry: Entry | undefined): string | undefined =>
  entry && `${key}=${entry.value} ${entry.created} ${entry.modified}`;
export const shown = (kv: { key: string; value: Buffer; createRevision: Revision; modRevision: Revision }): string =>
  `${kv.key}=${kv.value.toString()} ${kv.createRevision} ${kv.modRevision}`;

function all(state: State, range?: KeyRange): string[] {
  return [...state]
    .filter(([key]) => range === undefined || inRange(range, key))
    .sort(([a], [b]) => compareKeys(a, b))
    .map(([key, entry]) => text(key, entry)!);
}

/** Says the first place where two lists differ. */
function same(found: readonly unknown[], wanted: readonly unknown[], what: string, say: (problem: string) => void): void {
  const at = found.findIndex((item, i) => item !== wanted[i]);
  if (at < 0 && found.length === wanted.length) return;
  const i = at < 0 ? found.length : at;
  say(`${what}: item ${i} is ${String(found[i])}, not ${String(wanted[i])} (${found.length} of ${wanted.length})`);
}
