import type { Affinity, Constraint, Spread } from '../../../openapi/index.ts';
import type { Findings } from './findings.ts';

interface Placement {
  readonly constraints?: readonly Constraint[];
  readonly affinities?: readonly Affinity[];
  readonly spreads?: readonly Spread[];
}

export type Level = 'job' | 'group' | 'task';

const comparisons = ['=', '==', 'is', '!=', 'not', '<', '<=', '>', '>='];

/** Constraints, affinities and spreads of a job, group or task. */
export function validatePlacement(owner: Placement, type: string | undefined, level: Level, findings: Findings): void {
  owner.constraints?.forEach((constraint, i) => {
    validateConstraint(constraint, findings.at('constraints', i));
    if (level === 'task') validateLevel(constraint, i + 1, findings.at('constraints', i));
  });
  const everyNode = type === 'system' || type === 'sysbatch';
  if (everyNode && (owner.affinities?.length ?? 0) > 0)
    findings.invalid('affinities', 'System jobs may not have an affinity stanza');
  else owner.affinities?.forEach((affinity, i) => validateAffinity(affinity, findings.at('affinities', i)));
  if (everyNode && (owner.spreads?.length ?? 0) > 0) findings.invalid('spreads', 'System jobs may not have a spread stanza');
  else owner.spreads?.forEach((spread, i) => validateSpread(spread, findings.at('spreads', i)));
}

function validateConstraint(constraint: Constraint, findings: Findings): void {
  const operator = constraint.operator ?? '=';
  const value = constraint.value ?? '';
  switch (operator) {
    case 'distinct_hosts':
      if (!['', 'true', 'false'].includes(value))
        findings.invalid('value', `distinct_hosts is "true" or "false", not "${value}"`);
      return;
    case 'distinct_property':
      if (value === '') break;
      if (!/^\d+$/.test(value)) {
        const why = `strconv.ParseUint: parsing ${JSON.stringify(value)}: invalid syntax`;
        findings.invalid('value', `Failed to convert RTarget ${JSON.stringify(value)} to uint64: ${why}`);
      } else if (Number(value) < 1)
        findings.invalid('value', `Distinct Property must have an allowed count of 1 or greater: ${Number(value)} < 1`);
      break;
    case 'is_set':
    case 'is_not_set':
      if (value !== '') findings.invalid('value', `Operator "${operator}" does not support an RTarget`);
      break;
    default:
      validateOperand(operator, value, 'constraint', findings);
  }
  requireAttribute(constraint.attribute, 'constraint', findings);
}

/** What holds for whole allocations cannot be asked for by one of their tasks. */
function validateLevel({ operator }: Constraint, number: number, findings: Findings): void {
  if (operator === 'distinct_hosts' || operator === 'distinct_property')
    findings.invalid('operator', `Constraint ${number} has disallowed Operand at task level: ${operator}`);
}

function validateAffinity(affinity: Affinity, findings: Findings): void {
  const operator = affinity.operator ?? '=';
  validateOperand(operator, affinity.value ?? '', 'affinity', findings);
  requireAttribute(affinity.attribute, 'affinity', findings);
  const weight = affinity.weight ?? 50;
  if (weight === 0) findings.invalid('weight', 'Affinity weight cannot be zero');
  if (weight < -100 || weight > 100) findings.invalid('weight', 'Affinity weight must be within the range [-100,100]');
}

function requireAttribute(attribute: string | undefined, what: string, findings: Findings): void {
  if (attribute === undefined || attribute === '')
    findings.required(
      'attribute',
      what === 'spread'
        ? 'Missing spread attribute'
        : `No LTarget provided but is required${what === 'constraint' ? ' by constraint' : ''}`,
    );
}

/** Interpolated values are only known at a node. */
const isInterpolated = (value: string): boolean => value.includes('${');

function validateOperand(operator: string, value: string, what: 'constraint' | 'affinity', findings: Findings): void {
  switch (operator) {
    case 'set_contains':
    case 'set_contains_all':
    case 'set_contains_any': {
      const subject = what === 'constraint' ? 'Set contains constraint requires' : 'Set contains operators require';
      if (value === '') findings.required('value', `${subject} an RTarget`);
      return;
    }
    case 'regexp': {
      const problem = isInterpolated(value) ? undefined : regexpProblem(value);
      if (problem !== undefined) findings.invalid('value', `Regular expression failed to compile: ${problem}`);
      return;
    }
    case 'version':
    case 'semver': {
      const bad = isInterpolated(value)
        ? undefined
        : value.split(',').find((part) => !isVersionConstraint(part.trim(), operator));
      const name = operator === 'version' ? 'Version' : 'Semver';
      if (bad !== undefined) findings.invalid('value', `${name} ${what} is invalid: Malformed constraint: ${bad}`);
      return;
    }
    default:
      if (!comparisons.includes(operator)) {
        const kind = what === 'constraint' ? 'constraint type' : 'affinity operator';
        findings.invalid('operator', `Unknown ${kind} ${JSON.stringify(operator)}`);
      } else if (value === '') findings.required('value', `Operator "${operator}" requires an RTarget`);
  }
}

/** The syntax of Go's regexp where it differs: flags in front, named groups with a P. */
function regexpProblem(value: string): string | undefined {
  try {
    new RegExp(value.replace(/^\(\?[imsU]+\)/, '').replaceAll('(?P<', '(?<'));
    return undefined;
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    return `error parsing regexp: ${re2Words(value) ?? words}`;
  }
}

/** The commonest mistakes as RE2, whose syntax it is, calls them. */
function re2Words(value: string): string | undefined {
  const plain = value.replace(/\\./g, '').replace(/\[[^\]]*\]/g, '');
  const unclosedClass = /\[[^\]]*$/.exec(plain);
  if (unclosedClass !== null) return `missing closing ]: \`${unclosedClass[0]}\``;
  const repeated = /(?:^|[(|])([*+?])/.exec(plain);
  if (repeated !== null) return `missing argument to repetition operator: \`${repeated[1]!}\``;
  const count = (c: string): number => plain.split(c).length - 1;
  if (count('(') > count(')')) return `missing closing ): \`${value}\``;
  return count(')') > count('(') ? `unexpected ): \`${value}\`` : undefined;
}

function isVersionConstraint(part: string, operator: 'version' | 'semver'): boolean {
  const match = /^(=|!=|>|<|>=|<=|~>)?\s*v?\d+(\.\d+)*(-[0-9A-Za-z.~-]+)?(\+[0-9A-Za-z.~-]+)?$/.exec(part);
  return match !== null && !(operator === 'semver' && match[1] === '~>');
}

function validateSpread(spread: Spread, findings: Findings): void {
  requireAttribute(spread.attribute, 'spread', findings);
  const weight = spread.weight ?? 50;
  if (weight < 1 || weight > 100) findings.invalid('weight', 'Spread stanza must have a positive weight from 0 to 100');
  const seen = new Set<string>();
  let sum = 0;
  spread.targets?.forEach((target, i) => {
    const percent = target.percent ?? 0;
    if (seen.has(target.value))
      findings.at('targets', i).duplicate('value', `Spread target value "${target.value}" already defined`);
    seen.add(target.value);
    if (percent < 0 || percent > 100) findings.at('targets', i).invalid('percent', `Spread target percentage for value "${target.value}" must be between 0 and 100`); // prettier-ignore
    sum += percent;
  });
  if (sum > 100) findings.invalid('targets', `Sum of spread target percentages must not be greater than 100%; got ${sum}%`);
}
