/** What constraints, affinities and spreads can see of a node. */
export interface NodeFacts {
  readonly id: string;
  readonly name: string;
  readonly datacenter: string;
  readonly pool: string;
  readonly nodeClass: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly meta: Readonly<Record<string, string>>;
  /** Drivers that were found and work. */
  readonly drivers: ReadonlySet<string>;
  /** Host volumes by name: whether they may only be read. */
  readonly volumes: ReadonlyMap<string, boolean>;
  /** Host networks by name: their addresses, in the node's order. */
  readonly networks: ReadonlyMap<string, readonly string[]>;
}

/** Reads one value of a node; undefined where the node has none. */
export interface Target {
  readonly text: string;
  /** Differs between nodes of one class. */
  readonly unique: boolean;
  readonly of: (facts: NodeFacts) => string | undefined;
}

/**
 * Reads `${attr.kernel.name}` and its like; any other text stands for itself.
 *
 * @example parseTarget('${node.datacenter}').of(facts) // 'dc1'
 */
export function parseTarget(text: string): Target {
  if (!text.startsWith('${')) return { text, unique: false, of: () => text };
  const path = text.slice(2, text.endsWith('}') ? -1 : undefined).trim();
  const read = readers[path];
  if (read !== undefined) return { text, ...read };
  if (path.startsWith('attr.')) return map(text, 'attributes', path.slice('attr.'.length));
  if (path.startsWith('meta.')) return map(text, 'meta', path.slice('meta.'.length));
  return { text, unique: false, of: () => undefined };
}

const readers: Record<string, Omit<Target, 'text'>> = {
  'node.unique.id': { unique: true, of: (f) => f.id },
  'node.unique.name': { unique: true, of: (f) => f.name },
  'node.datacenter': { unique: false, of: (f) => f.datacenter },
  'node.class': { unique: false, of: (f) => f.nodeClass },
  'node.pool': { unique: false, of: (f) => f.pool },
};

function map(text: string, from: 'attributes' | 'meta', key: string): Target {
  return { text, unique: isUnique(key), of: (facts) => (Object.hasOwn(facts[from], key) ? facts[from][key] : undefined) };
}

/** Keys under `unique.` are left out of the node class. */
export const isUnique = (key: string): boolean => key.startsWith('unique.');
