import type { Affinity, Constraint } from '../../../openapi/index.ts';
import { parseTarget, type NodeFacts } from './targets.ts';
import { parseConditions, parseVersion, type Flavour } from './versions.ts';

/** A constraint or affinity that is ready to be asked of any node. */
export interface Predicate {
  /** As users read it in a placement failure: `${attr.kernel.name} = windows`. */
  readonly text: string;
  /** The answer differs between nodes of one class. */
  readonly unique: boolean;
  readonly test: (facts: NodeFacts) => boolean;
}

/** Compiles what compares a node's value; distinct_hosts and distinct_property compare allocations and are none. */
export function compilePredicate(constraint: Constraint | Affinity): Predicate {
  const { attribute = '', operator = '=', value = '' } = constraint;
  const left = parseTarget(attribute);
  const right = parseTarget(value);
  const compare = comparison(operator, value.startsWith('${') ? undefined : value);
  return {
    text: describeConstraint(constraint),
    unique: left.unique || right.unique,
    test: (facts) => compare(left.of(facts), right.of(facts)),
  };
}

export const describeConstraint = ({ attribute = '', operator = '=', value = '' }: Constraint): string =>
  [attribute, operator, value].filter((part) => part !== '').join(' ');

type Compare = (left: string | undefined, right: string | undefined) => boolean;

/** `literal` is the right side where it is the same for every node, so that it is parsed once. */
function comparison(operator: string, literal: string | undefined): Compare {
  switch (operator) {
    case '=':
    case '==':
    case 'is':
      return (l, r) => l !== undefined && l === r;
    case '!=':
    case 'not':
      return (l, r) => l !== r;
    case '<':
      return (l, r) => l !== undefined && r !== undefined && order(l, r) < 0;
    case '<=':
      return (l, r) => l !== undefined && r !== undefined && order(l, r) <= 0;
    case '>':
      return (l, r) => l !== undefined && r !== undefined && order(l, r) > 0;
    case '>=':
      return (l, r) => l !== undefined && r !== undefined && order(l, r) >= 0;
    case 'is_set':
    case 'attribute_is_set':
      return (l) => l !== undefined;
    case 'is_not_set':
    case 'attribute_is_not_set':
      return (l) => l === undefined;
    case 'version':
      return matching(literal, (text) => conditionsOn(text, 'version'));
    case 'semver':
      return matching(literal, (text) => conditionsOn(text, 'semver'));
    case 'regexp':
      return matching(literal, regexp);
    case 'set_contains':
    case 'set_contains_all':
      return matching(literal, (text) => {
        const wanted = setOf(text);
        return (l) => {
          const have = new Set(setOf(l));
          return wanted.every((item) => have.has(item));
        };
      });
    case 'set_contains_any':
      return matching(literal, (text) => {
        const wanted = setOf(text);
        return (l) => {
          const have = new Set(setOf(l));
          return wanted.some((item) => have.has(item));
        };
      });
    default:
      return () => false;
  }
}

/** Numbers by size where both are numbers, anything else as text. */
function order(l: string, r: string): number {
  const numbers = [l, r].map((text) => (text.trim() === '' ? Number.NaN : Number(text)));
  if (!Number.isNaN(numbers[0]) && !Number.isNaN(numbers[1])) return numbers[0]! - numbers[1]!;
  return l < r ? -1 : l > r ? 1 : 0;
}

/** Compares with what the right side compiles to; what does not compile matches nothing. */
function matching(literal: string | undefined, compile: (text: string) => ((left: string) => boolean) | undefined): Compare {
  if (literal !== undefined) {
    const test = compile(literal);
    return (l) => l !== undefined && test !== undefined && test(l);
  }
  return (l, r) => l !== undefined && r !== undefined && (compile(r)?.(l) ?? false);
}

function conditionsOn(text: string, flavour: Flavour): ((left: string) => boolean) | undefined {
  const conditions = parseConditions(text, flavour);
  if (conditions === undefined) return undefined;
  return (left) => {
    const version = parseVersion(left, flavour);
    return version !== undefined && conditions(version);
  };
}

/** Patterns are written for RE2, whose named groups, text anchors and leading flags look different here. */
function regexp(pattern: string): ((left: string) => boolean) | undefined {
  let flags = 'u';
  const source = pattern
    .replace(/^\(\?([ims]+)\)/, (_, given: string) => ((flags += given), ''))
    .replaceAll('(?P<', '(?<')
    .replaceAll('\\A', '^')
    .replaceAll('\\z', '$');
  for (const attempt of [flags, flags.replace('u', '')]) {
    try {
      const compiled = new RegExp(source, attempt);
      return (left) => compiled.test(left);
    } catch {
      // Without the u flag an escape that means nothing is allowed, as in RE2.
    }
  }
  return undefined;
}

const setOf = (text: string): string[] => text.split(',').map((item) => item.trim());
