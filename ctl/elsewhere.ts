/** What those who come from kubectl or Nomad type, and what it is called here; or that there is nothing like it yet. */
type Words = (program: string) => string;

const instead =
  (...lines: string[]): Words =>
  (program) =>
    `Here it is: ${lines.map((line) => `${program} ${line}`).join('  or  ')}`;

const missing =
  (verb: 'is' | 'are') =>
  (what: string, meanwhile?: string): Words =>
  (program) =>
    `${what} ${verb} not built yet.${meanwhile === undefined ? '' : ` Meanwhile: ${program} ${meanwhile}`}`;
const notBuilt = missing('is');
const areNotBuilt = missing('are');

const names: Readonly<Record<string, Words>> = {
  // kubectl
  attach: instead('logs -f <allocation>', 'alloc exec <allocation> <command>'),
  autoscale: notBuilt('Scaling by itself', 'job scale <job> <count>'),
  certificate: notBuilt('A certificate authority'),
  'cluster-info': instead('server members', 'status'),
  cordon: instead('node eligibility -disable <node>'),
  debug: instead('describe alloc <allocation>', 'alloc exec <allocation> <command>'),
  drain: instead('node drain -enable <node>'),
  expose: instead('service list'),
  kustomize: instead('apply -f <folder>'),
  proxy: notBuilt('A proxy', 'operator api <path>'),
  scaledown: instead('job scale <job> <count>'),
  set: instead('edit job <name>', 'patch job <name> -p <patch>'),
  taint: instead('node eligibility -disable <node>'),
  uncordon: instead('node eligibility -enable <node>'),
  // Nomad
  'volume create': notBuilt('Making volumes', 'volume status'),
  'volume register': notBuilt('Registering volumes', 'volume status'),
  'volume delete': notBuilt('Removing volumes', 'volume status'),
  'volume deregister': notBuilt('Removing volumes', 'volume status'),
  'volume detach': notBuilt('Detaching volumes', 'volume status'),
  'volume init': notBuilt('Making volumes', 'volume status'),
  'volume snapshot': areNotBuilt('Snapshots of volumes', 'volume status'),
  acl: notBuilt('Access control'),
  'agent-info': instead('operator metrics', 'server members'),
  'alloc-logs': instead('alloc logs <allocation>'),
  executor: instead('node-agent'),
  'job scaling-events': instead('job history -p <job>'),
  keygen: notBuilt('Encryption of gossip (there is none to encrypt)'),
  license: () => 'There is nothing to license.',
  'operator raft': () => 'There is no Raft here: servers share a store, etcd or the embedded one.',
  'operator autopilot': () => 'There is no Raft here: servers share a store, etcd or the embedded one.',
  plugin: areNotBuilt('Storage plugins'),
  quota: areNotBuilt('Quotas'),
  recommendation: areNotBuilt('Recommendations'),
  scaling: areNotBuilt('Scaling policies', 'job scale <job> <count>'),
  sentinel: areNotBuilt('Policies in Sentinel'),
  setup: instead('agent -dev'),
  'server force-leave': () => 'Servers leave by themselves: what is gone disappears from "server members" within seconds.',
  'server join': () => 'Servers join through the store that they share; there is nothing to tell them.',
  tls: notBuilt('TLS'),
};

/** What to say about a command that there is under another name, or not at all. */
export const elsewhereCalled = (words: string): Words | undefined => (Object.hasOwn(names, words) ? names[words] : undefined);
