import { TemplateError } from './template/index.ts';

/** `KEY=value` lines of an env template; quotes around a value are taken off, `#` at the start of a line is a comment. */
export function parseEnvFile(text: string, name: string): Record<string, string> {
  const variables: Record<string, string> = {};
  // A value in double quotes may go over lines.
  const pattern = /^[ \t]*(?:export[ \t]+)?([^\s=#][^\s=]*)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\n]*?))[ \t]*$/s;
  let pending = '';
  let number = 0;
  for (const line of text.split('\n')) {
    number++;
    pending = pending === '' ? line.replace(/\r$/, '') : `${pending}\n${line}`;
    if (pending.trim() === '' || pending.trimStart().startsWith('#')) {
      pending = '';
      continue;
    }
    if (/^[^=]*=[ \t]*"(?:[^"\\]|\\.)*$/s.test(pending)) continue;
    const match = pattern.exec(pending);
    if (match === null) throw new TemplateError(`${name}: line ${number} is not KEY=value`);
    const [, key, double, single, plain] = match;
    variables[key!] =
      double?.replaceAll(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c === 'r' ? '\r' : c === 't' ? '\t' : c)) ?? single ?? plain ?? ''; // prettier-ignore
    pending = '';
  }
  if (pending !== '') throw new TemplateError(`${name}: a quote is never closed`);
  return variables;
}
