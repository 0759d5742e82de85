// One source map for texts that follow each other in one file. The format has a way to say this (`sections`), which Node cannot read.

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const valueOf = new Map([...digits].map((digit, i) => [digit, i]));

/** Each text begins at `column` of `line`, and has lines of its own. */
export function joinSourceMaps(texts) {
  const sources = [];
  const names = [];
  const mappings = [];
  // Numbers are differences: columns to the segment before in the line, the others to the segment before in the file.
  let last = [0, 0, 0, 0];
  for (const { line, column, map } of [...texts].sort((a, b) => a.line - b.line)) {
    let current = [sources.length, 0, 0, names.length];
    map.mappings.split(';').forEach((segments, i) => {
      let at = i === 0 ? column : 0;
      let written = 0;
      mappings[line + i] = (segments === '' ? [] : segments.split(','))
        .map((segment) => {
          const [forward, ...fields] = decode(segment);
          at += forward;
          current = current.map((value, n) => value + (fields[n] ?? 0));
          const text = encode([at - written, ...fields.map((_, n) => current[n] - last[n])]);
          written = at;
          last = last.map((value, n) => (n < fields.length ? current[n] : value));
          return text;
        })
        .join(',');
    });
    sources.push(...map.sources);
    names.push(...map.names);
  }
  return { version: 3, sources, names, mappings: Array.from(mappings, (line) => line ?? '').join(';') };
}

/** Numbers in base 64: five bits a digit, the lowest first, the sign in the lowest bit of all. */
function decode(segment) {
  const numbers = [];
  let value = 0;
  let shift = 0;
  for (const digit of segment) {
    const bits = valueOf.get(digit);
    value |= (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    numbers.push(value & 1 ? -(value >> 1) : value >> 1);
    value = shift = 0;
  }
  return numbers;
}

const encode = (numbers) =>
  numbers
    .map((number) => {
      let rest = number < 0 ? (-number << 1) | 1 : number << 1;
      let text = '';
      do {
        text += digits[(rest & 31) | (rest > 31 ? 32 : 0)];
        rest >>>= 5;
      } while (rest > 0);
      return text;
    })
    .join('');
