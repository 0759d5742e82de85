import { STRING, list, object, string, type Value } from '../value.ts';

/** Rows as objects, by the names of the first row. */
export function csvDecode(s: string): Value {
  const rows = csvRows(s);
  const header = rows.shift();
  if (header === undefined) throw new Error('missing header line');
  const seen = new Set<string>();
  for (const name of header) {
    if (seen.has(name)) throw new Error(`duplicate column name ${JSON.stringify(name)}`);
    seen.add(name);
  }
  const type = { kind: 'object' as const, attributes: new Map(header.map((h) => [h, STRING] as const)) };
  return list(
    type,
    rows.map((row, i) => {
      if (row.length !== header.length) throw new Error(`CSV parse error on line ${i + 2}: wrong number of fields`);
      return object(header.map((h, j) => [h, string(row[j]!)] as const));
    }),
  );
}

function csvRows(s: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  const endRow = (): void => {
    if (row.length > 1 || (row[0] ?? '') !== '') rows.push(row);
    row = [];
  };
  while (at < s.length) {
    let field = '';
    if (s[at] === '"') {
      at++;
      for (;;) {
        const quote = s.indexOf('"', at);
        if (quote === -1)
          throw new Error(
            `CSV parse error on line ${s.slice(0, at).split('\n').length}: extraneous or missing " in quoted-field`,
          );
        field += s.slice(at, quote);
        at = quote + 1;
        if (s[at] !== '"') break;
        field += '"';
        at++;
      }
    } else {
      const end = s.slice(at).search(/[,\n]/);
      field = end === -1 ? s.slice(at) : s.slice(at, at + end);
      at += field.length;
      field = field.replace(/\r$/, '');
    }
    row.push(field);
    if (s[at] === ',') {
      at++;
      if (at === s.length) row.push('');
      continue;
    }
    if (s[at] === '\r') at++;
    if (s[at] === '\n' || at >= s.length) {
      at++;
      endRow();
    }
  }
  if (row.length > 0) endRow();
  return rows;
}
