/** How many nanoseconds a unit has. */
const UNITS: Record<string, bigint> = {
  ns: 1n, us: 1_000n, 'µs': 1_000n, 'μs': 1_000n, ms: 1_000_000n, s: 1_000_000_000n, m: 60_000_000_000n, h: 3_600_000_000_000n,
}; // prettier-ignore

/** Reads a duration exactly as Go does (`1h30m`, `1.5s`, `-10ms`, `0`; no days), in nanoseconds; throws with Go's words otherwise. */
export function parseGoDuration(text: string): bigint {
  const quoted = JSON.stringify(text);
  const invalid = (): Error => new Error(`time: invalid duration ${quoted}`);
  const signed = /^([+-]?)(.*)$/s.exec(text)!;
  let rest = signed[2]!;
  if (rest === '0') return 0n;
  if (rest === '') throw invalid();
  let total = 0n;
  while (rest !== '') {
    const amount = /^(\d*)(?:\.(\d*))?/.exec(rest)!;
    const [all, whole = '', fraction = ''] = amount;
    if (whole === '' && fraction === '') throw invalid();
    rest = rest.slice(all.length);
    const unitText = /^[^.\d]*/.exec(rest)![0];
    if (unitText === '') throw new Error(`time: missing unit in duration ${quoted}`);
    const unit = UNITS[unitText];
    if (unit === undefined) throw new Error(`time: unknown unit ${JSON.stringify(unitText)} in duration ${quoted}`);
    rest = rest.slice(unitText.length);
    total += BigInt(whole === '' ? '0' : whole) * unit;
    if (fraction !== '') total += (BigInt(fraction) * unit) / 10n ** BigInt(fraction.length);
    if (total > 9_223_372_036_854_775_807n) throw invalid();
  }
  return signed[1] === '-' ? -total : total;
}

/** Writes nanoseconds as people write them in job files: `10s`, `1h30m`, `90ms`; never with zero parts. */
export function formatGoDuration(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return '0s';
  const sign = nanoseconds < 0n ? '-' : '';
  let left = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  if (left < 1_000_000_000n) {
    for (const unit of ['ms', 'us'] as const) if (left >= UNITS[unit]!) return sign + decimal(left, UNITS[unit]!) + unit;
    return `${sign}${left}ns`;
  }
  let out = sign;
  for (const unit of ['h', 'm'] as const) {
    const count = left / UNITS[unit]!;
    left %= UNITS[unit]!;
    if (count > 0n) out += `${count}${unit}`;
  }
  return left > 0n ? `${out}${decimal(left, UNITS.s!)}s` : out;
}

function decimal(value: bigint, unit: bigint): string {
  const rest = value % unit;
  if (rest === 0n) return String(value / unit);
  const digits = rest
    .toString()
    .padStart(unit.toString().length - 1, '0')
    .replace(/0+$/, '');
  return `${value / unit}.${digits}`;
}
