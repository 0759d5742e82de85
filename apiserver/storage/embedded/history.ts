import { STEP_BYTES, STEP_EVENTS, type History } from '../feed.ts';
import { inRange } from '../keys.ts';
import type { KeyRange, Revision, StoreEvent, WatchBatch } from '../store.ts';
import type { Disk } from './disk.ts';
import type { LogEntry } from './records.ts';

/** The log as history, a step at a time. `newest` is the last revision that was published: what is committed beyond it is not told yet. */
export function logHistory(disk: Disk, newest: () => Revision): History {
  return async function* (range, from, signal) {
    for (let next = from; !signal.aborted;) {
      const batch = readLog(disk, range, next, newest());
      next = batch.revision + 1;
      yield batch;
    }
  };
}

function readLog(disk: Disk, range: KeyRange, from: Revision, newest: Revision): WatchBatch {
  return disk.read((view) => {
    const events: StoreEvent[] = [];
    let read = 0;
    let bytes = 0;
    let revision = from - 1;
    for (const entry of view.log(from)) {
      if (entry.revision > newest) break;
      if (entry.revision > revision) {
        if (read >= STEP_EVENTS || bytes >= STEP_BYTES) return { revision, events };
        revision = entry.revision;
      }
      read += 1;
      bytes += entry.value.length;
      if (inRange(range, entry.key)) events.push(toStoreEvent(entry, entry.before && view.entry(entry.before)));
    }
    return { revision: newest, events };
  });
}

function toStoreEvent(entry: LogEntry, before: LogEntry | undefined): StoreEvent {
  const previous = before && { previous: toKeyValue(before) };
  if (entry.type === 'delete') return { type: 'delete', key: entry.key, revision: entry.revision, ...previous };
  return { type: 'put', kv: toKeyValue(entry), ...previous };
}

const toKeyValue = ({ key, value, created, revision, lease }: LogEntry) => ({
  key,
  value,
  createRevision: created,
  modRevision: revision,
  ...(lease !== '' && { lease }),
});
