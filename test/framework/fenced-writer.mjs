// One that stands for election and, while it leads, writes as fast as it can: `node fenced-writer.mjs URL,URL NAME`. Says what it does, a
// line each, and never asks whether it still leads: it is the servers that must refuse it.
import { acquire, Client, LeaseKind, NodePoolKind, silentLogger, systemClock } from 'orch/client';

const [, , servers, name] = process.argv;
const say = (text) => process.stdout.write(`${text}\n`);
const client = new Client({ servers: servers.split(','), userAgent: name, timeoutMs: 5000 });
const options = { client, clock: systemClock, log: silentLogger, name: 'fenced-writer', identity: name, ttl: 2000 };
const term = await acquire(options, new AbortController().signal);
say(`leads ${term.fence.uid}`);
for (let n = 1; ; n++) {
  try {
    await term.client.patch(NodePoolKind, 'default', undefined, { metadata: { annotations: { writer: `${name} ${n}` } } });
    if (n % 50 === 0) say(`wrote ${n}`);
  } catch (error) {
    if (/fence/.test(error.message)) {
      say(`refused ${n}: ${error.message}`);
      break;
    }
    say(`failed ${n}: ${error.message}`);
  }
}
say(`over ${(await client.find(LeaseKind, 'fenced-writer', 'orch-system'))?.spec?.holderIdentity ?? 'nobody'}`);
