const sizes = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** A number of bytes in the unit that leaves at most three digits: `788 KiB`, `2.6 MiB`, `0 B`. */
export function bytes(amount: number): string {
  if (amount < 10) return `${Math.max(0, Math.floor(amount))} B`;
  const exponent = Math.min(sizes.length - 1, Math.floor(Math.log(amount) / Math.log(1024)));
  const value = Math.floor((amount / 1024 ** exponent) * 10 + 0.5) / 10;
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${sizes[exponent]}`;
}

/** A number of MB as job files count them (MiB). */
export const megabytes = (amount: number): string => bytes(amount * 1024 * 1024);

/** A number with three significant digits: `0.0567`, `0`, `1.5`. */
export function significant(value: number): string {
  if (!Number.isFinite(value) || value === 0) return '0';
  return String(Number(value.toPrecision(3)));
}

/** `1 problem`, `3 problems`. */
export const count = (amount: number, noun: string): string => `${amount} ${noun}${amount === 1 ? '' : 's'}`;
