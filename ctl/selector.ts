import { CommandError } from './errors.ts';

type Labels = Readonly<Record<string, string>>;

/** Whether labels match a selector as the server understands it: `a=b,c!=d,e,!f,g in (h,i),j notin (k)`. */
export function matchesLabels(selector: string, labels: Labels = {}): boolean {
  return terms(selector).every((term) => matches(term.trim(), labels));
}

/** Commas within parentheses do not part terms. */
const terms = (selector: string): string[] => selector.split(/,(?![^(]*\))/).filter((term) => term.trim() !== '');

const key = String.raw`([A-Za-z0-9][\w./-]*)`;
const set = new RegExp(`^${key}\\s+(in|notin)\\s*\\(([^)]*)\\)$`);
const equality = new RegExp(`^${key}\\s*(==|=|!=)\\s*(\\S*)$`);
const existence = new RegExp(`^(!?)\\s*${key}$`);

function matches(term: string, labels: Labels): boolean {
  const inSet = set.exec(term);
  if (inSet !== null) {
    const value = labels[inSet[1]!];
    const among = value !== undefined && inSet[3]!.split(',').some((one) => one.trim() === value);
    return among === (inSet[2] === 'in');
  }
  const equal = equality.exec(term);
  if (equal !== null) return (labels[equal[1]!] === equal[3]!) === (equal[2] !== '!=');
  const exists = existence.exec(term);
  if (exists !== null) return (labels[exists[2]!] !== undefined) === (exists[1] === '');
  throw new CommandError(`"${term}" is no selector of labels; it should look like app=web, app!=web, app, or app in (web,api)`);
}
