/**
 * Takes out of a text what varies from run to run (the recordings' READMEs name it): IDs, indexes, times and ages, addresses and
 * dynamic ports, figures of the machine, folders and host names.
 */
const uuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
const shortId = /\b(?=[0-9a-f]*[0-9])[0-9a-f]{8}\b/g;

export interface Surroundings {
  /** Folders of this run, which recordings show as `<dir>`. */
  readonly dirs?: readonly string[];
  readonly host?: string;
}

/** What varies in every text, also in one whose blanks matter. */
export function normalise(text: string, { dirs = [], host }: Surroundings = {}): string {
  let out = text;
  for (const dir of [...dirs].sort((a, b) => b.length - a.length)) out = out.replaceAll(dir, '<dir>');
  if (host !== undefined && host !== '') out = out.replaceAll(host, 'node1');
  return out
    .replace(/\bnomad (?=run|job|alloc|eval|deployment|node|status|plan|stop|operator|system|agent|server)/g, 'orchctl ')
    .replace(uuid, '<uuid>')
    .replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, '<time>')
    .replace(/\b\d\d\/\d\d\/\d\d \d\d:\d\d:\d\d( [A-Z]{3,4})?/g, '<time>')
    .replace(/\b(\d+(mo|[ydhms]))+ ago\b/g, '<age>')
    .replace(/(Job Modify Index: )\d+/g, (_, words: string) => `${words}<index>`)
    .replace(/(-check-index |[Jj]ob modify index:? )[1-9]\d*/g, '$1<index>');
}

/** Errors of job files: the excerpts below each are ours alone, and so are the hints of any command. */
export function withoutExcerpts(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/^ {2} *\d* \| /.test(line) && !/^ {2} +\|/.test(line) && !line.startsWith('Hint: '))
    .join('\n');
}

/** A text in columns whose widths depend on what varies. */
export function normaliseTable(text: string, surroundings: Surroundings = {}): string {
  // A job in the middle of a text; its maps have no order.
  const plain = text.replace(/^\{\n[\s\S]*?^\}$/gm, (json) => normaliseJson(json, surroundings));
  return (
    normalise(plain, surroundings)
      .replace(shortId, '<id>')
      .replace(/<uuid>/g, '<id>')
      .replace(/\b\d{1,3}(\.\d{1,3}){3}(:\d+)?/g, (_, _part, port: string | undefined) =>
        port === undefined ? '<address>' : '<address>:<port>',
      )
      .replace(/\b\d+\/(\d+) MHz/g, '<n>/$1 MHz')
      .replace(/\b[\d.]+ (?:B|[KMGT]iB)\/([\d.]+ [KMGT]iB)/g, '<n>/$1')
      // Of an amount the unit is a part of the figure.
      .replace(/\b[\d.]+ (?:[KMGT]i?B|B)(?= |$)/gm, '<n> B')
      .replace(/\b[\d.]+ (MHz)\b/g, '<n> $1')
      .replace(/\b[\d.]+%/g, '<n>%')
      .replace(/\b[\d.]+(µs|ms)\b/g, '<duration>')
      .replace(/(Uptime += |restarting in )[\dhms.]+/g, '$1<duration>')
      .replace(/\b\d\d? [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d+/g, '<time>')
      .replace(/("\w*(?:Index|Time)": )[1-9]\d*/g, '$1<n>')
      .replace(/\b\d+\.\d+\.\d+\b/g, '<version>')
      .replace(/(?<=\S) {2,}/g, '  ')
      .replace(/[ \t]+$/gm, '')
  );
}

/** Following a rollout: how often it was looked at, and in which order things were seen, varies. */
export function normaliseMonitor(text: string): string {
  const blocks = text.split(/\n *\n(?=<time>\nID )/);
  if (blocks.length > 1) blocks.splice(1, blocks.length - 2);
  const seen = new Set<string>();
  const lines: string[] = [];
  for (const line of blocks.join('\n\n').split('\n')) {
    if (/^(==>| {4}) ?<time>: (Monitoring evaluation|Evaluation triggered|Allocation )/.test(line)) {
      if (/Monitoring evaluation/.test(line) && seen.has(line)) continue;
      seen.add(line);
    }
    lines.push(line);
  }
  // Neighbouring lines about allocations come in any order.
  const isAllocation = (line: string): boolean => /^ {4}<time>: Allocation /.test(line);
  for (let from = 0; from < lines.length; from++) {
    let to = from;
    while (to < lines.length && isAllocation(lines[to]!)) to++;
    if (to > from) {
      lines.splice(from, to - from, ...lines.slice(from, to).sort());
      from = to;
    }
  }
  return lines.join('\n');
}

/** JSON by shape: what varies becomes a word, the rest stays. */
export function normaliseJson(text: string, surroundings: Surroundings = {}): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return normalise(text, surroundings);
  }
  const varies =
    /(Index|Time|ID|Deadline|Since|At|Port|Fingerprint)$|^(Value|HostIP|IP|Score.*|NormScore|binpack|Message|DisplayMessage)$/;
  const walk = (v: unknown, key: string): unknown => {
    if (Array.isArray(v)) return v.map((item) => walk(item, ''));
    if (typeof v === 'object' && v !== null)
      return Object.fromEntries(
        Object.entries(v)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([k, inner]) => [normalise(k, surroundings), walk(inner, k)]),
      );
    if (typeof v === 'number' && varies.test(key)) return v === 0 ? 0 : '<n>';
    if (typeof v === 'string') return normalise(v, surroundings).replace(/\b\d{1,3}(\.\d{1,3}){3}\b/g, '<address>');
    return v;
  };
  return JSON.stringify(walk(value, ''), null, 4);
}

/** Every ID of a text, in order; how the IDs of a recording are matched with those of this run. */
export const idsOf = (text: string): string[] => text.match(new RegExp(`${uuid.source}|${shortId.source}`, 'g')) ?? [];
