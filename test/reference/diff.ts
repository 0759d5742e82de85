/** A line diff: `-` is the recording, `+` this run. Equal stretches are cut to two lines of context. */
export function lineDiff(recorded: string, ours: string): string {
  const a = recorded.split('\n');
  const b = ours.split('\n');
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const left = a.slice(head, a.length - tail);
  const right = b.slice(head, b.length - tail);
  const body =
    left.length * right.length > 4e6
      ? [...left.map((line) => `- ${line}`), ...right.map((line) => `+ ${line}`)]
      : longestCommon(left, right);
  const lines = [
    ...a.slice(Math.max(0, head - 2), head).map(same),
    ...body,
    ...a
      .slice(a.length - tail)
      .slice(0, 2)
      .map(same),
  ];
  return cut(lines).join('\n');
}

const same = (line: string): string => `  ${line}`;

function longestCommon(a: readonly string[], b: readonly string[]): string[] {
  const width = b.length + 1;
  const length = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      length[i * width + j] =
        a[i] === b[j] ? length[(i + 1) * width + j + 1]! + 1 : Math.max(length[(i + 1) * width + j]!, length[i * width + j + 1]!);
  const out: string[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push(same(a[i]!));
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && length[(i + 1) * width + j]! >= length[i * width + j + 1]!))
      out.push(`- ${a[i++]}`);
    else out.push(`+ ${b[j++]}`);
  }
  return out;
}

function cut(lines: readonly string[]): string[] {
  const near = (at: number): boolean => lines.slice(Math.max(0, at - 2), at + 3).some((line) => !line.startsWith('  '));
  const out: string[] = [];
  lines.forEach((line, at) => {
    if (near(at)) out.push(line);
    else if (out.at(-1) !== '  …') out.push('  …');
  });
  return out;
}
