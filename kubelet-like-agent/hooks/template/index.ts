/**
 * The language of `template` blocks: Go's text/template with the functions of consul-template. Rendering is one step without waiting:
 * what a template reads is at hand, or it throws Missing and is rendered again once it is. A template that would not come to an end is
 * cut off, since the agent has more to do.
 */
import { createContext, Script } from 'node:vm';
import { evaluate, Missing, type Functions, type Value } from './evaluate.ts';
import { pureFunctions } from './functions.ts';
import { parseTemplate, TemplateError } from './parse.ts';
import { variableFunctions, type VariableSource } from './variables.ts';

export { Missing } from './evaluate.ts';
export { TemplateError } from './parse.ts';
export type { VariableEntry, VariableSource } from './variables.ts';

/** One instance of a service, by the names that templates know. */
export interface CatalogEntry {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly tags: readonly string[];
  readonly nodeId: string;
  readonly datacenter: string;
  readonly allocId: string;
  readonly jobId: string;
  readonly namespace: string;
  readonly meta: Readonly<Record<string, string>>;
}

/** What a template may read. */
export interface TemplateSources {
  /** The environment of the task, and the facts of its node by `node.`, `attr.` and `meta.`. */
  readonly env: Readonly<Record<string, string>>;
  /** Healthy instances in the namespace of the job; undefined: not known yet. */
  readonly services: () => readonly CatalogEntry[] | undefined;
  readonly variables: VariableSource;
  /** A file of the task. Throws when it is outside of it. */
  readonly file: (path: string) => string;
}

export interface RenderOptions extends TemplateSources {
  readonly left?: string;
  readonly right?: string;
  readonly strict?: boolean;
}

export interface Rendered {
  readonly text: string;
  /** It read services or variables, so it may come out differently when they change. */
  readonly follows: boolean;
}

const TIME_LIMIT = 2000;

/** Throws TemplateError for what is wrong with it, Missing for what is not there yet. */
export function renderTemplate(source: string, options: RenderOptions): Rendered {
  let follows = false;
  const services = (): readonly CatalogEntry[] => {
    follows = true;
    const found = options.services();
    if (found === undefined) throw new Missing('services');
    return found;
  };
  const scratch = new Map<string, Value>();
  const functions: Functions = {
    ...pureFunctions,
    ...sourceFunctions(options, services),
    ...scratchFunctions(scratch),
    ...variableFunctions({
      ...options.variables,
      read: (path) => {
        follows = true;
        return options.variables.read(path);
      },
    }),
    ...refusals,
  };
  const work = (): string => {
    const parsed = parseTemplate(source, options.left || undefined, options.right || undefined);
    const executeTemplate = (name: Value, data: Value): Value => {
      const nodes = parsed.defined.get(String(name));
      if (nodes === undefined) throw new TemplateError(`template "${String(name)}" is not defined`);
      return evaluate({ nodes, defined: parsed.defined }, { functions: all, data, strict: options.strict === true });
    };
    const all: Functions = { ...functions, executeTemplate };
    return evaluate(parsed, { functions: all, strict: options.strict === true });
  };
  return { text: withinTime(work), follows };
}

const call = new Script('work()');

/** Ends what takes too long, in whatever loop or regular expression it is. */
function withinTime(work: () => string): string {
  try {
    return call.runInContext(createContext({ work }), { timeout: TIME_LIMIT }) as string;
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
      throw new TemplateError(`the template takes longer than ${TIME_LIMIT / 1000}s`);
    throw error;
  }
}

function sourceFunctions({ env, file }: TemplateSources, services: () => readonly CatalogEntry[]): Functions {
  const own = (name: Value): string | undefined => (Object.hasOwn(env, String(name)) ? env[String(name)] : undefined);
  const named = (query: Value): readonly CatalogEntry[] => {
    const [, tag, name] = /^(?:([^.@|]+)\.)?([^.@|]+)(?:@[^|]*)?(?:\|.*)?$/.exec(String(query)) ?? [];
    if (name === undefined) throw new TemplateError(`"${String(query)}" does not name a service`);
    return services().filter((s) => s.name === name && (tag === undefined || s.tags.includes(tag)));
  };
  const names = (): Value[] => {
    const tags = new Map<string, Set<string>>();
    for (const { name, tags: own } of services()) {
      const all = tags.get(name) ?? new Set();
      tags.set(name, all);
      for (const tag of own) all.add(tag);
    }
    return [...tags].sort().map(([Name, all]) => ({ Name, Tags: [...all].sort() }));
  };
  return {
    env: (name) => own(name) ?? '',
    envOrDefault: (name, fallback) => own(name) || fallback,
    mustEnv: (name) => {
      const found = own(name);
      if (found === undefined) throw new TemplateError(`the environment has no ${String(name)}`);
      return found;
    },
    file: (path) => file(String(path)),
    nomadService: (...args) => {
      // nomadService COUNT SEED "name": as many, the same ones for the same seed.
      const found = named(args.at(-1)).map(asNomad);
      return args.length < 3 ? found : pick(found, Number(args[0]), String(args[1]));
    },
    nomadServices: names,
    service: (query) => named(query).map(asConsul),
    services: names,
  };
}

const asNomad = (s: CatalogEntry): Record<string, Value> => ({
  ID: s.id,
  Name: s.name,
  Node: s.nodeId,
  NodeID: s.nodeId,
  Datacenter: s.datacenter,
  AllocID: s.allocId,
  JobID: s.jobId,
  Namespace: s.namespace,
  Tags: [...s.tags],
  Address: s.address,
  Port: s.port,
  Meta: { ...s.meta },
});

const asConsul = (s: CatalogEntry): Record<string, Value> => ({
  ...asNomad(s),
  NodeAddress: s.address,
  ServiceMeta: { ...s.meta },
  Status: 'passing',
});

/** Rendezvous hashing: who leaves or joins changes as few choices as can be. */
function pick(services: Record<string, Value>[], count: number, seed: string): Record<string, Value>[] {
  const weight = (id: Value): number => {
    let hash = 0x811c9dc5;
    for (const c of `${seed}/${String(id)}`) hash = Math.imul(hash ^ c.codePointAt(0)!, 0x01000193) >>> 0;
    return hash;
  };
  return services.toSorted((a, b) => weight(b['ID']) - weight(a['ID'])).slice(0, Math.max(0, count));
}

function scratchFunctions(values: Map<string, Value>): Functions {
  const mapOf = (key: Value): Record<string, Value> => {
    const found = (values.get(String(key)) ?? Object.create(null)) as Record<string, Value>;
    values.set(String(key), found);
    return found;
  };
  const scratch = {
    Key: (key: Value) => values.has(String(key)),
    Get: (key: Value) => values.get(String(key)),
    Set: (key: Value, value: Value) => (values.set(String(key), value), ''),
    SetX: (key: Value, value: Value) => (values.has(String(key)) || values.set(String(key), value), ''),
    MapSet: (key: Value, name: Value, value: Value) => ((mapOf(key)[String(name)] = value), ''),
    MapSetX: (key: Value, name: Value, value: Value) => ((mapOf(key)[String(name)] ??= value), ''),
    MapValues: (key: Value) => Object.keys(mapOf(key)).sort().map((name) => mapOf(key)[name]), // prettier-ignore
  };
  return { scratch: () => scratch };
}

const refuse = (name: string, why: string): [string, () => never] => [name, () => { throw new TemplateError(`${name}: ${why}`); }]; // prettier-ignore

/** What consul-template has and nothing here answers. */
const refusals: Functions = Object.fromEntries([
  ...['key', 'keyOrDefault', 'keyExists', 'ls', 'safeLs', 'tree', 'safeTree'].map((name) => refuse(name, 'there is no Consul key-value store here')), // prettier-ignore
  ...['secret', 'secrets', 'pkiCert'].map((name) => refuse(name, 'there is no Vault here')),
  ...['node', 'nodes', 'connect', 'caRoots', 'caLeaf', 'datacenters'].map((name) => refuse(name, 'there is no Consul here')),
  ...['plugin', 'writeToFile'].map((name) => refuse(name, 'is not permitted: it would run with the rights of the agent')),
]);
