// Tells a web address when a job changes its phase. Who wants to hear says so in a Notification (notifications.yaml).
import { Client, Informers, JobKind, WorkQueue, createLogger, defineKind, electionLoop, keyOf, systemClock } from 'orch/client';

const NotificationKind = defineKind({
  group: 'example.com',
  version: 'v1',
  kind: 'Notification',
  listKind: 'NotificationList',
  plural: 'notifications',
  singular: 'notification',
  shortNames: [],
  namespaced: true,
});

const clock = systemClock;
const log = createLogger({ write: (line) => process.stdout.write(line), level: 'info', clock }, 'notifier');
const client = new Client({ servers: (process.env.ORCH_ADDR ?? 'http://127.0.0.1:4646').split(','), userAgent: 'notifier', log });
const informers = new Informers({ client, clock, log });
const [jobs, notifications] = [informers.of(JobKind), informers.of(NotificationKind)];

/** Decides: the phases to have told in the end, and which of them are news. Nothing but values in and out. */
function news({ spec, status, metadata }, all) {
  const mine = all.filter((job) => job.metadata.namespace === metadata.namespace && spec.phases.includes(job.status?.phase));
  const told = Object.fromEntries(mine.map((job) => [job.metadata.name, job.status.phase]));
  return { told, fresh: Object.entries(told).filter(([job, phase]) => status?.told?.[job] !== phase) };
}

/** Makes what a Notification asks for true. It may be called at any time, as often as it likes: who was told is in its status. */
async function reconcile(key, write) {
  const notification = notifications.get(key);
  if (notification === undefined) return;
  const { metadata, spec, status } = notification;
  const { told, fresh } = news(notification, jobs.list());
  for (const [job, phase] of fresh) {
    const body = JSON.stringify({ job, phase, namespace: metadata.namespace });
    const { ok } = await fetch(spec.url, { method: 'POST', body, signal: AbortSignal.timeout(5000) });
    if (!ok) throw new Error(`${spec.url} does not want to hear it`);
    log.info('told', { job, phase, url: spec.url });
  }
  const forgotten = Object.keys(status?.told ?? {}).filter((job) => told[job] === undefined);
  if (fresh.length + forgotten.length === 0) return;
  const patch = { status: { told: { ...told, ...Object.fromEntries(forgotten.map((job) => [job, null])) }, count: (status?.count ?? 0) + fresh.length } }; // prettier-ignore
  await write.patch(NotificationKind, metadata.name, metadata.namespace, patch, { subresource: 'status' });
}

const stop = new AbortController();

/** Works while it leads. A key is worked on once at a time; what fails comes again, later and later. */
async function lead({ client: write, signal }) {
  const queue = new WorkQueue({ clock });
  AbortSignal.any([signal, stop.signal]).addEventListener('abort', () => queue.shutdown());
  const all = () => notifications.list().forEach((notification) => queue.add(keyOf(notification)));
  const ends = [notifications.on({ added: all, modified: all }), jobs.on({ added: all, modified: all, deleted: all })];
  for (let key; (key = await queue.take()) !== undefined; queue.done(key)) {
    try {
      await reconcile(key, write);
      queue.forget(key);
    } catch (error) {
      log.warn('trying again', { key, error, in: `${queue.addRateLimited(key)} ms` });
    }
  }
  ends.forEach((end) => end());
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());
await informers.synced();
await electionLoop({ client, clock, log, name: 'notifier', identity: `${process.pid}` }, stop.signal, lead);
await informers.close();
client.close();
