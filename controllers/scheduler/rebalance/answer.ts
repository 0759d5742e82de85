import { toTimestamp, type Instant } from '../../../base/index.ts';
import type { Client } from '../../../client/index.ts';
import { RebalanceKind, type Rebalance, type RebalanceStatus, type Stored } from '../../../openapi/index.ts';
import type { Scratch } from '../rank/session.ts';
import type { Cluster } from '../state/cluster.ts';
import { propose } from './propose.ts';

/** Answers a question once: what the fleet looks like later is another question. */
export async function answer(
  { metadata, spec, status }: Stored<Rebalance>,
  { client, cluster, scratch, now }: { client: Client; cluster: Cluster; scratch: Scratch; now: Instant },
): Promise<void> {
  if (status?.answeredAt !== undefined || metadata.deletionTimestamp !== undefined) return;
  const { algorithm, moves, description } = propose({
    cluster,
    pool: spec?.nodePool ?? 'default',
    maxMoves: spec?.maxMoves ?? 10,
    scratch,
  });
  const said: RebalanceStatus = {
    answeredAt: toTimestamp(now),
    algorithm,
    description,
    moves: moves.map(({ allocation, to }) => ({
      allocation: allocation.id,
      namespace: allocation.job.slice(0, allocation.job.indexOf('/')),
      fromNode: allocation.node,
      toNode: to,
    })),
  };
  await client.patch(RebalanceKind, metadata.name, undefined, { status: said }, { subresource: 'status' });
}
