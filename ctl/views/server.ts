import type { Lease, Stored } from '../../openapi/index.ts';
import { table } from '../io/columns.ts';
import { by } from './view.ts';

/**
 * The servers by the leases that they hold. All of them serve requests; the leader is the one beside whose API server the
 * scheduler leads. Where that cannot be told (parts in processes of their own), it is the one that is there longest.
 */
export function memberTable(servers: readonly Stored<Lease>[], elected: readonly Stored<Lease>[], detailed: boolean): string {
  const sorted = [...servers].sort(by(({ metadata, spec }) => spec?.holderIdentity ?? metadata.name));
  const tag = (lease: Stored<Lease>, name: string): string | undefined => lease.metadata.annotations?.[`orch.dev/${name}`];
  const name = (lease: Stored<Lease>): string => lease.spec?.holderIdentity ?? lease.metadata.name;
  if (detailed)
    return table([
      ['Name', 'Address', 'Port', 'Tags'],
      ...sorted.map((lease) => [name(lease), tag(lease, 'address'), tag(lease, 'port'), tags(lease)]),
    ]);
  const leader = leaderAmong(sorted, elected);
  return table([
    ['Name', 'Address', 'Port', 'Status', 'Leader', 'Protocol', 'Build', 'Datacenter', 'Region'],
    ...sorted.map((lease) => [
      name(lease),
      tag(lease, 'address'),
      tag(lease, 'port'),
      'alive',
      lease === leader,
      2,
      tag(lease, 'version'),
      tag(lease, 'datacenter'),
      tag(lease, 'region'),
    ]),
  ]);
}

export function leaderAmong(servers: readonly Stored<Lease>[], elected: readonly Stored<Lease>[]): Stored<Lease> | undefined {
  const holder = elected.find(({ metadata }) => metadata.name === 'scheduler')?.spec?.holderIdentity;
  const beside = servers.filter(({ spec }) => holder !== undefined && holder.startsWith(`${spec?.holderIdentity}/`));
  if (beside.length === 1) return beside[0];
  return [...servers].sort(by(({ metadata }) => `${metadata.creationTimestamp} ${metadata.name}`))[0];
}

/** `build=0.1.0,dc=dc1,region=global` */
function tags({ metadata }: Stored<Lease>): string {
  const shown = { version: 'build', datacenter: 'dc', region: 'region' } as const;
  return Object.entries(shown)
    .map(([name, as]) => `${as}=${metadata.annotations?.[`orch.dev/${name}`] ?? ''}`)
    .join(',');
}
