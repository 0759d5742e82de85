import { Missing, type Functions, type Value } from './evaluate.ts';
import { TemplateError } from './parse.ts';

/** A variable, as templates know it. */
export interface VariableEntry {
  readonly path: string;
  readonly namespace: string;
  readonly items: Readonly<Record<string, string>>;
}

/** The variables of a task: those at its own paths, and no others. */
export interface VariableSource {
  readonly namespace: string;
  /** The paths that the task may read. */
  readonly paths: readonly string[];
  /** Unknown: the server has not been heard yet. */
  readonly read: (path: string) => VariableEntry | 'missing' | 'unknown';
}

/** The functions on variables. Whatever else a template names is refused here, before the server is asked. */
export function variableFunctions(source: VariableSource): Functions {
  const { namespace, paths } = source;
  const pathOf = (query: Value): string => {
    const [path = '', place] = String(query).split('@');
    if (place !== undefined && place !== namespace && place !== `${namespace}.global`)
      throw new TemplateError(`variable "${String(query)}": a task reads variables of its own namespace, ${namespace}`);
    return path.replace(/^\/+|\/+$/g, '');
  };
  const find = (path: string): VariableEntry | undefined => {
    const found = source.read(path);
    if (found === 'unknown') throw new Missing(`nomad.var.block(${path}@${namespace}.global)`);
    return found === 'missing' ? undefined : found;
  };
  const permitted = (query: Value): string => {
    const path = pathOf(query);
    if (!paths.includes(path))
      throw new TemplateError(`variable "${path}" may not be read by this task; it may read ${paths.join(', ')}`);
    return path;
  };
  const list = (query: Value): VariableEntry[] => {
    const prefix = query === undefined ? '' : pathOf(query);
    return paths.filter((path) => path.startsWith(prefix)).flatMap((path) => find(path) ?? []);
  };
  return {
    nomadVar: (query) => {
      const path = permitted(query);
      const found = find(path);
      if (found === undefined) throw new Missing(`nomad.var.block(${path}@${namespace}.global)`);
      return itemsOf(found);
    },
    nomadVarExists: (query) => find(permitted(query)) !== undefined,
    nomadVarList: (query) => list(query).map(metadataOf),
    nomadVarListSafe: (query) => {
      const found = list(query);
      if (found.length === 0)
        throw new Missing(`nomad.var.list(${query === undefined ? '' : pathOf(query)}@${namespace}.global)`);
      return found.map(metadataOf);
    },
  };
}

const metadataOf = ({ path, namespace }: VariableEntry): Record<string, Value> => ({ Path: path, Namespace: namespace });

/** The items; what else is known of the variable is read by name, and not ranged over. */
function itemsOf(variable: VariableEntry): Record<string, Value> {
  const entries = Object.entries(variable.items).sort(([a], [b]) => (a < b ? -1 : 1));
  const out = Object.create(null) as Record<string, Value>;
  const more: Record<string, Value> = {
    Keys: entries.map(([key]) => key),
    Values: entries.map(([, value]) => value),
    Tuples: entries.map(([K, V]) => ({ K, V })),
    Metadata: metadataOf(variable),
  };
  for (const [name, value] of Object.entries(more)) Object.defineProperty(out, name, { value, configurable: true });
  for (const [key, value] of entries) Object.defineProperty(out, key, { value, enumerable: true, configurable: true });
  return out;
}
