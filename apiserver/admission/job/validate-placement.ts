import type { Affinity, Constraint, Spread } from '../../../openapi/index.ts';
import type { Findings } from './findings.ts';

interface Placement {
  readonly constraints?: readonly Constraint[];
  readonly affinities?: readonly Affinity[];
  readonly spreads?: readonly Spread[];
}

export type Level = 'job' | 'group' | 'task';

const comparisons = ['=', '==', 'is', '!=', 'not', '<', '<=', '>', '>='];
const affinityOperators = [...comparisons, 'regexp', 'version', 'semver', 'set_contains', 'set_contains_all', 'set_contains_any'];
const constraintOperators = [...affinityOperators, 'distinct_hosts', 'distinct_property', 'is_set', 'is_not_set'];

/** Constraints, affinities and spreads of a job, group or task. */
export function validatePlacement(owner: Placement, type: string | undefined, level: Level, findings: Findings): void {
  owner.constraints?.forEach((constraint, i) => validateConstraint(constraint, level, findings.at('constraints', i)));
  const everyNode = type === 'system' || type === 'sysbatch';
  if (everyNode && (owner.affinities?.length ?? 0) > 0)
    findings.invalid('affinities', 'System jobs may not have an affinity block');
  else owner.affinities?.forEach((affinity, i) => validateAffinity(affinity, findings.at('affinities', i)));
  if (everyNode && (owner.spreads?.length ?? 0) > 0) findings.invalid('spreads', 'System jobs may not have a spread block');
  else owner.spreads?.forEach((spread, i) => validateSpread(spread, findings.at('spreads', i)));
}

function validateConstraint(constraint: Constraint, level: Level, findings: Findings): void {
  const operator = constraint.operator ?? '=';
  const value = constraint.value ?? '';
  findings.oneOf('operator', operator, constraintOperators, 'constraint operator');
  if (level === 'task' && (operator === 'distinct_hosts' || operator === 'distinct_property')) {
    findings.invalid(
      'operator',
      `Operator "${operator}" is not allowed at task level: move the constraint to the group or the job`,
    );
  }
  switch (operator) {
    case 'distinct_hosts':
      if (!['', 'true', 'false'].includes(value))
        findings.invalid('value', `distinct_hosts is "true" or "false", not "${value}"`);
      return;
    case 'distinct_property':
      if (value !== '' && !/^[1-9]\d*$/.test(value)) {
        findings.invalid('value', `Distinct property must have an allowed count of 1 or greater, not "${value}"`);
      }
      break;
    case 'is_set':
    case 'is_not_set':
      if (value !== '') findings.invalid('value', `Operator "${operator}" does not take a value`);
      break;
    default:
      validateOperand(operator, value, findings);
  }
  requireAttribute(constraint.attribute, 'constraint', findings);
}

function validateAffinity(affinity: Affinity, findings: Findings): void {
  const operator = affinity.operator ?? '=';
  findings.oneOf('operator', operator, affinityOperators, 'affinity operator');
  validateOperand(operator, affinity.value ?? '', findings);
  requireAttribute(affinity.attribute, 'affinity', findings);
  const weight = affinity.weight ?? 50;
  if (weight === 0 || weight < -100 || weight > 100)
    findings.invalid('weight', `Affinity weight must be within [-100, 100] and not zero, not ${weight}`);
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

function validateOperand(operator: string, value: string, findings: Findings): void {
  if (value === '') {
    findings.required('value', `Operator "${operator}" requires an RTarget`);
    return;
  }
  if (isInterpolated(value)) return;
  if (operator === 'regexp') {
    const problem = regexpProblem(value);
    if (problem !== undefined) findings.invalid('value', `Regular expression failed to compile: ${problem}`);
  } else if (operator === 'version' || operator === 'semver') {
    const bad = value.split(',').find((part) => !isVersionConstraint(part.trim(), operator));
    if (bad !== undefined)
      findings.invalid('value', `Malformed ${operator} constraint: "${bad.trim()}"; expected one like ">= 1.2, < 2"`);
  }
}

/** The syntax of Go's regexp where it differs: flags in front, named groups with a P. */
function regexpProblem(value: string): string | undefined {
  try {
    new RegExp(value.replace(/^\(\?[imsU]+\)/, '').replaceAll('(?P<', '(?<'));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function isVersionConstraint(part: string, operator: 'version' | 'semver'): boolean {
  const match = /^(=|!=|>|<|>=|<=|~>)?\s*v?\d+(\.\d+)*(-[0-9A-Za-z.~-]+)?(\+[0-9A-Za-z.~-]+)?$/.exec(part);
  return match !== null && !(operator === 'semver' && match[1] === '~>');
}

function validateSpread(spread: Spread, findings: Findings): void {
  requireAttribute(spread.attribute, 'spread', findings);
  const weight = spread.weight ?? 50;
  if (weight < 1 || weight > 100) findings.invalid('weight', `Spread weight must be between 1 and 100, not ${weight}`);
  const seen = new Set<string>();
  let sum = 0;
  spread.targets?.forEach((target, i) => {
    const percent = target.percent ?? 0;
    if (seen.has(target.value))
      findings.at('targets', i).duplicate('value', `Spread target value "${target.value}" is given twice`);
    seen.add(target.value);
    if (percent < 0 || percent > 100) findings.at('targets', i).invalid('percent', `Spread target percentage for "${target.value}" must be between 0 and 100, not ${percent}`); // prettier-ignore
    sum += percent;
  });
  if (sum > 100) findings.invalid('targets', `Sum of spread target percentages must not be greater than 100%; got ${sum}%`);
}
