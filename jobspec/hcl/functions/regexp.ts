/**
 * What is wrong with a regular expression, in the words of RE2 (whose syntax job files use): undefined when it finds nothing. JavaScript has other words, and
 * takes some patterns that RE2 does not.
 */
export function regexpProblem(pattern: string): string | undefined {
  let depth = 0;
  let repeatable = false;
  let repeated: number | undefined;
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!;
    const start = repeated;
    repeated = undefined;
    if (c === '\\') {
      if (i + 1 >= pattern.length) return 'trailing backslash at end of expression: ``';
      i++;
      repeatable = true;
    } else if (c === '[') {
      const end = closingBracket(pattern, i);
      if (end === -1) return `missing closing ]: \`${pattern.slice(i)}\``;
      i = end;
      repeatable = true;
    } else if (c === '(') {
      depth++;
      const perl = /^\(\?(?:[=!]|<[=!])/.exec(pattern.slice(i))?.[0];
      if (perl !== undefined) return `invalid or unsupported Perl syntax: \`${perl}\``;
      const group = /^\(\?(?:P?<\w+>|[a-zA-Z-]*[:)])/.exec(pattern.slice(i))?.[0];
      if (group !== undefined) {
        i += group.length - 1;
        if (group.endsWith(')')) depth--;
      }
      repeatable = false;
    } else if (c === ')') {
      if (depth === 0) return `unexpected ): \`${pattern}\``;
      depth--;
      repeatable = true;
    } else if (c === '|' || c === '^') repeatable = false;
    else {
      const operator = /^(?:[*+?]|\{\d+(?:,\d*)?\})\??/.exec(pattern.slice(i))?.[0];
      if (operator === undefined) {
        repeatable = true;
        continue;
      }
      const end = i + operator.length;
      if (start !== undefined) return `invalid nested repetition operator: \`${pattern.slice(start, end)}\``;
      if (!repeatable) return `missing argument to repetition operator: \`${operator}\``;
      repeated = i;
      i = end - 1;
    }
  }
  return depth > 0 ? `missing closing ): \`${pattern}\`` : undefined;
}

function closingBracket(pattern: string, open: number): number {
  let i = open + 1;
  if (pattern[i] === '^') i++;
  if (pattern[i] === ']') i++;
  for (; i < pattern.length; i++) {
    if (pattern[i] === '\\') i++;
    else if (pattern[i] === '[' && pattern[i + 1] === ':' && pattern.indexOf(':]', i) !== -1) i = pattern.indexOf(':]', i) + 1;
    else if (pattern[i] === ']') return i;
  }
  return -1;
}
