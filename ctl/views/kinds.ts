import type { Kind } from '../../openapi/index.ts';
import { alignRows } from './server-table.ts';
import { by } from './view.ts';

/** The kinds that the server serves, as `api-resources` shows them. */
export function kindTable(kinds: readonly Kind[], headers = true): string {
  const rows = [...kinds]
    .sort(by(({ group, plural }) => `${group} ${plural}`))
    .map(({ plural, shortNames, apiVersion, namespaced, kind }) => [
      plural,
      shortNames.join(','),
      apiVersion,
      String(namespaced),
      kind,
    ]);
  return alignRows(headers ? [['NAME', 'SHORTNAMES', 'APIVERSION', 'NAMESPACED', 'KIND'], ...rows] : rows);
}
