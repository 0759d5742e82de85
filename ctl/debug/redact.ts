/** What stands for a value that is nobody's business. */
export const REDACTED = '(redacted)';

const secretName = /pass(word|wd|phrase)?$|secret|token|credential|private|api_?key|access_?key|auth/i;
/** Maps and texts that users fill with whatever they like. */
const freeMaps = new Set(['env', 'items']);
const freeTexts = new Set([
  'data',
  'payload',
  'embeddedTmpl',
  'EmbeddedTmpl',
  'kubectl.kubernetes.io/last-applied-configuration',
]);

/** A copy without what may be secret: values by telling names, environments, templates and payloads. Names stay. */
export function redact(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => redact(item, key));
  if (typeof value === 'object' && value !== null) {
    const free = freeMaps.has(key);
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [name, free && typeof one === 'string' ? REDACTED : redact(one, name)]),
    );
  }
  return typeof value === 'string' && value !== '' && (freeTexts.has(key) || secretName.test(key)) ? REDACTED : value;
}

/** A line of a log, in the same way: `password=…`, `"token": "…"`. */
export const redactLine = (line: string): string =>
  line.replace(
    /([\w.-]*(?:passw(?:or)?d|secret|token|credential|api_?key)[\w.-]*"?\s*[=:]\s*)("(?:[^"\\]|\\.)*"|[^\s,}]+)/gi,
    `$1${REDACTED}`,
  );
