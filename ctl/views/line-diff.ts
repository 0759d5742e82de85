/** What differs between two texts, line by line, with some lines around it: `- gone`, `+ new`, `  same`. */
export function lineDiff(before: string, after: string, around = 3): string {
  const [a, b] = [linesOf(before), linesOf(after)];
  const steps = compare(a, b);
  const shown = new Set<number>();
  steps.forEach(({ sign }, i) => {
    if (sign !== ' ') for (let k = Math.max(0, i - around); k <= Math.min(steps.length - 1, i + around); k++) shown.add(k);
  });
  const out: string[] = [];
  steps.forEach(({ sign, line }, i) => {
    if (!shown.has(i)) return;
    if (i > 0 && !shown.has(i - 1)) out.push('  …');
    out.push(`${sign} ${line}`);
  });
  return out.join('\n');
}

const linesOf = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));

interface Step {
  readonly sign: ' ' | '-' | '+';
  readonly line: string;
}

/** A longest common subsequence, after what both have at their ends is set aside. */
function compare(a: readonly string[], b: readonly string[]): Step[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const same = (line: string): Step => ({ sign: ' ', line });
  const middle = common(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  return [...a.slice(0, head).map(same), ...middle, ...a.slice(a.length - tail).map(same)];
}

function common(a: readonly string[], b: readonly string[]): Step[] {
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      lengths[i * width + j] =
        a[i] === b[j] ? lengths[(i + 1) * width + j + 1]! + 1 : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!); // prettier-ignore
  const steps: Step[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      steps.push({ sign: ' ', line: a[i++]! });
      j++;
    } else if (i < a.length && (j === b.length || lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!))
      steps.push({ sign: '-', line: a[i++]! });
    else steps.push({ sign: '+', line: b[j++]! });
  }
  return steps;
}
