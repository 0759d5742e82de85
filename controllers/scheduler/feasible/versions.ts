/**
 * Version constraints: `>= 1.2, < 2.0`, `~> 1.4.2`, with the operators = != > >= < <= ~>.
 *
 * `version` is lenient about the number of segments and keeps pre-releases apart: one only satisfies a constraint that names a
 * pre-release of the same version. `semver` orders pre-releases by the rules of semver.org.
 */
export type Flavour = 'version' | 'semver';

export interface Version {
  readonly segments: readonly number[];
  /** How many segments were written: `~> 1.4` and `~> 1.4.0` differ. */
  readonly written: number;
  readonly pre: string;
}

interface Condition {
  readonly operator: string;
  readonly version: Version;
}

const LENIENT = /^v?(\d+(?:\.\d+)*)(?:-([0-9A-Za-z.~-]+)|(?!\.)([A-Za-z~][0-9A-Za-z.~-]*))?(?:\+[0-9A-Za-z.~-]+)?$/;
const STRICT = /^v?(\d+(?:\.\d+)*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

export function parseVersion(text: string, flavour: Flavour): Version | undefined {
  const match = (flavour === 'semver' ? STRICT : LENIENT).exec(text.trim());
  if (match === null) return undefined;
  const segments = match[1]!.split('.').map(Number);
  const written = segments.length;
  while (segments.length < 3) segments.push(0);
  return { segments, written, pre: match[2] ?? match[3] ?? '' };
}

/** Compiles a comma-separated list of conditions; undefined when it is none. */
export function parseConditions(text: string, flavour: Flavour): ((version: Version) => boolean) | undefined {
  const conditions: Condition[] = [];
  for (const part of text.split(',')) {
    const match = /^\s*(=|!=|>=|<=|>|<|~>)?\s*(\S+)\s*$/.exec(part);
    const version = match === null ? undefined : parseVersion(match[2]!, flavour);
    if (match === null || version === undefined) return undefined;
    conditions.push({ operator: match[1] ?? '=', version });
  }
  return (version) => conditions.every((condition) => satisfies(version, condition, flavour));
}

function satisfies(v: Version, { operator, version: c }: Condition, flavour: Flavour): boolean {
  const order = compareVersions(v, c);
  if (operator === '=') return order === 0;
  if (operator === '!=') return order !== 0;
  if (flavour === 'version' && v.pre !== '') {
    // A pre-release only counts for those who name one of the same version.
    if (c.pre === '' || compareSegments(v.segments, c.segments) !== 0) return false;
  }
  switch (operator) {
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    default:
      return order >= 0 && samePrefix(v, c);
  }
}

/** `~> 1.4.2` lets the last written segment rise, `~> 1.4` the minor one. */
function samePrefix(v: Version, c: Version): boolean {
  for (let i = 0; i < Math.max(1, c.written - 1); i++) if ((v.segments[i] ?? 0) !== c.segments[i]) return c.written === 1;
  return true;
}

export function compareVersions(a: Version, b: Version): number {
  return compareSegments(a.segments, b.segments) || comparePre(a.pre, b.pre);
}

function compareSegments(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const order = (a[i] ?? 0) - (b[i] ?? 0);
    if (order !== 0) return Math.sign(order);
  }
  return 0;
}

/** A release comes after its pre-releases; numeric parts come before words. */
function comparePre(a: string, b: string): number {
  if (a === b) return 0;
  if (a === '') return 1;
  if (b === '') return -1;
  const left = a.split('.');
  const right = b.split('.');
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const l = left[i];
    const r = right[i];
    if (l === undefined) return -1;
    if (r === undefined) return 1;
    if (l === r) continue;
    const numeric = [/^\d+$/.test(l), /^\d+$/.test(r)];
    if (numeric[0] && numeric[1]) return Math.sign(Number(l) - Number(r));
    if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
    return l < r ? -1 : 1;
  }
  return 0;
}
