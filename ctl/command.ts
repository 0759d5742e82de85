import type { Clock } from '../base/index.ts';
import type { Client } from '../client/index.ts';
import type { IO } from './io/streams.ts';
import type { Style } from './io/style.ts';

/** What finds and lists a command: known of all of them without loading any. */
export interface CommandNames {
  /** The words that call it: `job run`. */
  readonly name: string;
  /** Further names, shown in its help: `run`. */
  readonly aliases?: readonly string[];
  /** Names from earlier times that still work but are not shown: `alloc-status`. */
  readonly formerNames?: readonly string[];
  /** One line for lists. */
  readonly summary: string;
  /** Not listed in overviews. */
  readonly hidden?: boolean;
}

/**
 * A line of the tables of commands (`commands/index.ts`). They are generated from the commands, so that a start loads the one
 * that is called and no other.
 */
export interface CommandEntry extends CommandNames {
  load(): Promise<Command>;
}

/**
 * A command is a value: what it is called, what it takes, how it is used, and what it does. Parsing, help, completion and
 * the manual are printed from it; a test runs it with string streams.
 */
export interface Command extends CommandNames {
  /** What follows the name: `[options] <path>`. */
  readonly usage: string;
  /** A paragraph or two below the summary in its help. */
  readonly description?: string;
  readonly examples?: readonly Example[];
  readonly flags: Flags;
  /** How many arguments it takes, with the sentence for when that is not so. */
  readonly args: ArgumentCount;
  /** So many arguments may have flags among them; what follows is taken as it is: a command line for somebody else. */
  readonly flagsAmong?: number;
  /** The kinds whose names complete its arguments. */
  readonly completes?: Completes;
  /** Whether it talks to the API: adds -address, -namespace and so on. */
  readonly usesCluster: boolean;
  /** Handles signals by itself (processes that run on): Ctrl-C is not caught for it. */
  readonly handlesSignals?: boolean;
  /** What to do next after it changed something: told, as a hint, when it ended well. */
  next?(call: Call): Example | undefined;
  /** Ends with an exit code; nothing means 0. */
  run(call: Call, context: Context): Promise<number | void>;
}

export type Completes = 'job' | 'allocation' | 'node' | 'deployment' | 'evaluation' | 'file' | 'kind';

export interface Example {
  readonly text: string;
  readonly command: string;
}

export interface ArgumentCount {
  readonly min: number;
  /** Absent: any number. */
  readonly max?: number;
  /** `This command takes one argument: <path>` */
  readonly rule: string;
}

/** No arguments at all. */
export const noArguments: ArgumentCount = { min: 0, max: 0, rule: 'This command takes no arguments' };

/** Exactly one, called `what`. */
export const oneArgument = (what: string): ArgumentCount => ({
  min: 1,
  max: 1,
  rule: `This command takes one argument: <${what}>`,
});

export interface Flag<T = unknown> {
  readonly type: 'boolean' | 'string' | 'integer' | 'list';
  readonly description: string;
  /** What stands for the value in help: `<path>`. */
  readonly value?: string;
  /** A one-letter form beside the long one. */
  readonly short?: string;
  /** Other long names. */
  readonly also?: readonly string[];
  readonly hidden?: boolean;
  /** What the flag means when no value is attached to it (`-dry-run` is `-dry-run=server`). */
  readonly implied?: string;
  /** A switch whose absence means something else than `-name=false`. */
  readonly tristate?: boolean;
  /** Never set: holds the type of the value. */
  readonly holds?: T;
}

/** Keys are in camelCase; users write them with dashes (`checkIndex` is `-check-index`). */
export type Flags = Readonly<Record<string, Flag>>;
export type FlagValues<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

type Extras = Omit<Flag, 'type' | 'description' | 'value' | 'holds'>;

/** The kinds of flags that commands declare. */
export const flag = {
  boolean: (description: string, extras: Extras = {}): Flag<boolean> => ({ type: 'boolean', description, ...extras }),
  /** A switch that is on unless it is given as `-name=false`; undefined when it was not given. */
  tristate: (description: string, extras: Extras = {}): Flag<boolean | undefined> => ({ type: 'boolean', tristate: true, description, ...extras }), // prettier-ignore
  string: (value: string, description: string, extras: Extras = {}): Flag<string | undefined> => ({ type: 'string', value, description, ...extras }), // prettier-ignore
  integer: (value: string, description: string, extras: Extras = {}): Flag<number | undefined> => ({ type: 'integer', value, description, ...extras }), // prettier-ignore
  list: (value: string, description: string, extras: Extras = {}): Flag<readonly string[]> => ({ type: 'list', value, description, ...extras }), // prettier-ignore
};

export interface Call<F extends Flags = Flags> {
  readonly args: readonly string[];
  readonly flags: FlagValues<F>;
}

/** What a command may use of the world. */
export interface Context {
  readonly io: IO;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly version: string;
  readonly style: Style;
  /** The name of the program as users type it. */
  readonly program: string;
  /** Every command there is; for help and completion. */
  readonly commands: readonly CommandEntry[];
  /**
   * Runs something that Ctrl-C is to end in an orderly way: the signal aborts then. Outside of it Ctrl-C ends the program at
   * once with exit code 130.
   */
  interruptible<R>(work: (signal: AbortSignal) => Promise<R>): Promise<R>;
}

/** What a command that talks to the API may use besides. */
export interface ClusterContext extends Context {
  readonly client: Client;
  /** A client of one certain server, as the same user; to be closed by who asks for it. */
  clientOf(server: string): Client;
  /** The namespace that was asked for; `default` when none was. */
  readonly namespace: string;
  /** For reading lists: undefined where all namespaces were asked for (`-namespace='*'`, `-A`). */
  readonly listNamespace: string | undefined;
}

type Definition<F extends Flags, C> = Omit<Command, 'flags' | 'next' | 'run' | 'usesCluster'> & {
  readonly flags?: F;
  next?(call: Call<F>): Example | undefined;
  run(call: Call<F>, context: C): Promise<number | void>;
};

/** A command that needs no API server. */
export function defineCommand<const F extends Flags = Record<never, Flag>>(definition: Definition<F, Context>): Command {
  return { flags: {}, ...definition, usesCluster: false };
}

/** A command that talks to the API: it has the general options, and a client in its context. */
export function defineClusterCommand<const F extends Flags = Record<never, Flag>>(
  definition: Definition<F, ClusterContext>,
): Command {
  return { flags: {}, ...definition, usesCluster: true };
}

/** What every command that talks to the API takes. */
export const clusterFlags = {
  address: flag.list('<url>', 'The address of an API server. Repeatable, or with commas: the next is tried when one cannot be reached. Also ORCH_ADDR or NOMAD_ADDR. Default http://127.0.0.1:4646.'), // prettier-ignore
  namespace: flag.string('<name>', "The namespace to work in, or '*' for all where that makes sense. Also ORCH_NAMESPACE or NOMAD_NAMESPACE.", { short: 'n' }), // prettier-ignore
  token: flag.string('<secret>', 'The token to present. Also ORCH_TOKEN or NOMAD_TOKEN.'),
  context: flag.string('<name>', 'The context of the configuration file to use instead of its current one.'),
  region: flag.string('<name>', 'The region; there is one, "global".', { hidden: true }),
} as const;

/** What every command takes. */
export const commonFlags = {
  noColor: flag.boolean('Print without colour, as with NO_COLOR set.'),
  help: flag.boolean('Show this help.', { short: 'h' }),
} as const;
