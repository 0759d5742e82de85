import { isReason } from '../base/index.ts';
import type { Registry } from './registry/registry.ts';

/** What every cluster begins with. */
const FIRST = [
  {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'default' },
    spec: { description: 'Where things go that name no other.' },
  },
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'orch-system' }, spec: { description: 'Of the system itself.' } },
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'orch-node-lease' }, spec: { description: 'Heartbeats of nodes.' } },
  {
    apiVersion: 'orch.dev/v1',
    kind: 'NodePool',
    metadata: { name: 'default' },
    spec: { description: 'Nodes that name no other pool.' },
  },
  {
    apiVersion: 'orch.dev/v1',
    kind: 'NodePool',
    metadata: { name: 'all' },
    spec: { description: 'All nodes, whatever their pool.' },
  },
];

/** Creates what is missing of it. Several servers may do so at once. */
export async function bootstrap(registry: Registry): Promise<void> {
  for (const object of FIRST) {
    const kind = registry.kinds.need(object.apiVersion, object.kind);
    if (registry.caches.of(kind).latest(kind.prefix + object.metadata.name) !== undefined) continue;
    try {
      await registry.create(kind, undefined, object);
    } catch (error) {
      if (!isReason(error, 'AlreadyExists')) throw error;
    }
  }
}
