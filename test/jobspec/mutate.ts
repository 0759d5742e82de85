/** Job files with mistakes in them: pieces taken out, doubled, swapped, replaced by what a grammar is likely to stumble over. */
const PIECES = [
  '{', '}', '[', ']', '(', ')', '"', '=', ',', ':', '.', '${', '%{', '~}', '\n', '...', '=>', '?', '!', '-', '*', '/', '%', '<<EOT\n', '<<-X\n', 'EOT', '#',
  '/*', '*/', '\\', "'", ';', '&&', '||', '==', '$', 'for', 'if', 'in', 'null', 'true', 'dynamic "x" {', 'job', 'variable "v" {', 'locals {', '"${', '[[[[[[[[',
  '((((((((', '1e999999', '99999999999999999999', '0.1', 'var.x', 'local.a', 'upper(', 'range(', 'jsondecode("', 'regex_replace("a", "(a+)+$", "b")',
  'for x in range(1000) : x', '"%{ for x in ["a"] }', '\u0000', '\ufeff', '\u202e', '\ud800', 'é',
] as const; // prettier-ignore

export function mutate(text: string, next: () => number): string {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)]!;
  const parts = text.split(/(\s+|[{}[\]()"=,:.$%*?!])/).filter((part) => part !== '');
  const changes = 1 + Math.floor(next() * 6);
  for (let n = 0; n < changes; n++) {
    const at = Math.floor(next() * parts.length);
    const other = Math.floor(next() * parts.length);
    const kind = next();
    if (kind < 0.25) parts.splice(at, 1 + Math.floor(next() * 3));
    else if (kind < 0.6) parts.splice(at, 0, pick(PIECES));
    else if (kind < 0.75) parts[at] = pick(PIECES);
    else if (kind < 0.85) parts.splice(at, 0, ...parts.slice(other, other + 20));
    else if (kind < 0.92) [parts[at], parts[other]] = [parts[other] ?? '', parts[at] ?? ''];
    else if (kind < 0.96) parts.splice(at, 0, ...Array.from({ length: 1 + Math.floor(next() * 200) }, () => pick(PIECES)));
    else parts.length = Math.max(1, at);
  }
  return parts.join('');
}
