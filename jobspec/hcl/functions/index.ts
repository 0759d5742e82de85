import type { Expression } from '../ast.ts';
import { convert } from '../convert.ts';
import type { HclFunction, Scope } from '../evaluate.ts';
import { readType } from '../types.ts';
import { bool, isWhollyKnown, type Value } from '../value.ts';
import { collections } from './collections.ts';
import { dates } from './dates.ts';
import { encoding } from './encoding.ts';
import { files, type FileAccess } from './files.ts';
import { hashes } from './hashes.ts';
import { network } from './network.ts';
import { numbers } from './numbers.ts';
import { strings } from './strings.ts';

export interface FunctionOptions {
  readonly files?: FileAccess | undefined;
  readonly now?: (() => Date) | undefined;
}

/** Every function of the language by name. `scope` is where templatefile finds the functions again. */
export function standardFunctions(options: FunctionOptions, scope: () => Scope): ReadonlyMap<string, HclFunction> {
  return new Map(
    Object.entries({
      ...strings,
      ...numbers,
      ...collections,
      ...encoding,
      ...dates(options.now ?? (() => new Date())),
      ...hashes,
      ...network,
      ...files(options.files, scope),
      ...guards,
    }),
  );
}

type Evaluate = Parameters<NonNullable<HclFunction['lazy']>>[1];

const never = (): Value => {
  throw new TypeError('a lazy function is called with expressions');
};

const guards: Record<string, HclFunction> = {
  try: {
    parameters: [],
    call: never,
    lazy: (args: readonly Expression[], evaluate: Evaluate) => {
      if (args.length === 0) throw new Error('at least one argument is required');
      const problems: string[] = [];
      for (const arg of args) {
        const { value, diagnostics } = evaluate(arg);
        if (!diagnostics.failed && isWhollyKnown(value)) return value;
        const first = diagnostics.list[0];
        if (first !== undefined) problems.push(`- ${first.summary}: ${first.detail}`);
      }
      throw new Error(
        `no expression succeeded:\n${problems.join('\n')}\n\nAt least one expression must produce a successful result`,
      );
    },
  },
  can: {
    parameters: [],
    call: never,
    lazy: (args: readonly Expression[], evaluate: Evaluate) => {
      if (args.length !== 1) throw new Error('exactly one argument is required');
      const { value, diagnostics } = evaluate(args[0]!);
      return bool(!diagnostics.failed && isWhollyKnown(value));
    },
  },
  convert: {
    parameters: [],
    call: never,
    lazy: (args: readonly Expression[], evaluate: Evaluate) => {
      if (args.length !== 2) throw new Error('exactly two arguments are required: a value and a type');
      const { value, diagnostics } = evaluate(args[0]!);
      const problem = diagnostics.list.find((d) => d.severity === 'error');
      if (problem !== undefined) throw new Error(`${problem.summary}: ${problem.detail}`);
      const type = readType(args[1]!);
      if ('problem' in type) throw new Error(type.problem.detail);
      return convert(value, type.type);
    },
  },
};
