/** What `${…}` may stand for: the task's environment, and facts of the node by `attr.`, `node.` and `meta.`. */
export interface Variables {
  readonly env: Readonly<Record<string, string>>;
  readonly node: Readonly<Record<string, string>>;
}

/**
 * Replaces `${NAME}`, `${env["NAME"]}`, `${attr.…}`, `${node.…}` and `${meta.…}`. What is not known stays as it is, since a
 * shell or a template inside the task may mean it. Never the agent's own environment: it may hold its secrets.
 */
export function interpolate(text: string, variables: Variables): string {
  if (!text.includes('${')) return text;
  return text.replace(/\$\{\s*([A-Za-z0-9_.\-[\]"'/]+)\s*\}/g, (whole, name: string) => lookUp(name, variables) ?? whole);
}

function lookUp(name: string, { env, node }: Variables): string | undefined {
  const quoted = /^env(?:\[["']?([^"'\]]+)["']?\]|\.(.+))$/.exec(name);
  if (quoted !== null) return own(env, quoted[1] ?? quoted[2]!);
  return own(env, name) ?? own(node, name);
}

const own = (map: Readonly<Record<string, string>>, key: string): string | undefined =>
  Object.hasOwn(map, key) ? map[key] : undefined;

/** Every string in a value made of JSON; keys stay. */
export function interpolateAll<T>(value: T, variables: Variables): T {
  if (typeof value === 'string') return interpolate(value, variables) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => interpolateAll(item, variables)) as T;
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, interpolateAll(v as unknown, variables)])) as T;
  return value;
}
