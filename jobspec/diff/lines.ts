const CONTEXT = 2;
/** Beyond this a line diff would take too long; the texts are then shown one after the other. */
const MOST = 4_000_000;

/** Two texts compared line by line: `- ` what is gone, `+ ` what is new, with a little of what is around it. */
export function lineDiff(before: string, after: string): string[] {
  const [a, b] = [split(before), split(after)];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const [left, right] = [a.slice(head, a.length - tail), b.slice(head, b.length - tail)];
  const middle =
    left.length * right.length > MOST ? [...left.map((l) => `- ${l}`), ...right.map((l) => `+ ${l}`)] : compare(left, right);
  const same = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);
  const all = [...same(a.slice(0, head)), ...middle, ...same(a.slice(a.length - tail))];
  return all.flatMap((line, i) => {
    const near = all.slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1).some((l) => !l.startsWith('  '));
    if (near) return [line];
    const first = i === 0 || all.slice(Math.max(0, i - 1 - CONTEXT), i + CONTEXT).some((l) => !l.startsWith('  '));
    return first ? ['  …'] : [];
  });
}

function split(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** By the longest common subsequence. */
function compare(a: readonly string[], b: readonly string[]): string[] {
  const width = b.length + 1;
  const length = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      length[i * width + j] =
        a[i] === b[j] ? length[(i + 1) * width + j + 1]! + 1 : Math.max(length[(i + 1) * width + j]!, length[i * width + j + 1]!);
  const out: string[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push(`  ${a[i++]!}`);
      j++;
    } else if (j >= b.length || (i < a.length && length[(i + 1) * width + j]! >= length[i * width + j + 1]!))
      out.push(`- ${a[i++]!}`);
    else out.push(`+ ${b[j++]!}`);
  }
  return out;
}
