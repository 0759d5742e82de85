/** What those who come from kubectl or Nomad type, and what it is called here; or that there is nothing like it yet. */
type Words = (program: string) => string;

const instead =
  (...lines: string[]): Words =>
  (program) =>
    `Here it is: ${lines.map((line) => `${program} ${line}`).join('  or  ')}`;

const notBuilt =
  (what: string, meanwhile?: string): Words =>
  (program) =>
    `${what} is not built yet.${meanwhile === undefined ? '' : ` Meanwhile: ${program} ${meanwhile}`}`;

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
  acl: notBuilt('Access control'),
  'agent-info': instead('operator metrics', 'server members'),
  'alloc-logs': instead('alloc logs <allocation>'),
  'deployment unblock': () => 'Deployments wait for other regions only where there are several; there is one here.',
  executor: instead('node-agent'),
  'job action': notBuilt('Actions of tasks'),
  'job scaling-events': instead('job history -p <job>'),
  keygen: notBuilt('Encryption of gossip (there is none to encrypt)'),
  license: () => 'There is nothing to license.',
  'node config': () => 'The servers of a node are in the configuration of its agent: client { servers = […] }.',
  'operator debug': notBuilt('A debug bundle', 'operator metrics'),
  'operator raft': () => 'There is no Raft here: servers share a store, etcd or the embedded one.',
  'operator autopilot': () => 'There is no Raft here: servers share a store, etcd or the embedded one.',
  'operator scheduler': notBuilt('Changing the scheduler while it runs', 'node pool apply -scheduler-algorithm=spread <pool>'),
  plugin: notBuilt('Storage plugins'),
  quota: notBuilt('Quotas'),
  recommendation: notBuilt('Recommendations'),
  scaling: notBuilt('Scaling policies', 'job scale <job> <count>'),
  sentinel: notBuilt('Policies in Sentinel'),
  setup: instead('agent -dev'),
  'server force-leave': () => 'Servers leave by themselves: what is gone disappears from "server members" within seconds.',
  'server join': () => 'Servers join through the store that they share; there is nothing to tell them.',
  system: notBuilt('Collecting garbage at once (it is collected by itself, by age)'),
  tls: notBuilt('TLS'),
  ui: notBuilt('The web page'),
  volume: notBuilt('Storage volumes', 'node status -verbose   # shows host volumes'),
};

/** What to say about a command that there is under another name, or not at all. */
export const elsewhereCalled = (words: string): Words | undefined => (Object.hasOwn(names, words) ? names[words] : undefined);
