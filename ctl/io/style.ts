/** How text is set off; each is the identity where colour is not wanted. */
export interface Style {
  readonly colors: boolean;
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

const identity = (text: string): string => text;

export const plainStyle: Style = {
  colors: false,
  bold: identity,
  dim: identity,
  red: identity,
  green: identity,
  yellow: identity,
  cyan: identity,
};

const painted =
  (on: number, off: number) =>
  (text: string): string =>
    `\x1b[${on}m${text}\x1b[${off}m`;

const colors: Style = {
  colors: true,
  bold: painted(1, 22),
  dim: painted(2, 22),
  red: painted(31, 39),
  green: painted(32, 39),
  yellow: painted(33, 39),
  cyan: painted(36, 39),
};

/**
 * Colour on a terminal, unless NO_COLOR (any value) or -no-color says otherwise; FORCE_COLOR forces it. Whether it is a terminal is
 * asked when it matters first, because the answer takes longer than a short command.
 */
export function chooseStyle(
  io: { readonly interactive: boolean },
  env: Readonly<Record<string, string | undefined>>,
  noColor: boolean,
): Style {
  const off = noColor || (env.NO_COLOR ?? '') !== '' || (env.NOMAD_CLI_NO_COLOR ?? '') !== '' || env.TERM === 'dumb';
  const on = (env.FORCE_COLOR ?? '') !== '' && env.FORCE_COLOR !== '0';
  if (off) return plainStyle;
  let chosen: Style | undefined;
  const style = (): Style => (chosen ??= on || io.interactive ? colors : plainStyle);
  return {
    get colors() {
      return style().colors;
    },
    bold: (text) => style().bold(text),
    dim: (text) => style().dim(text),
    red: (text) => style().red(text),
    green: (text) => style().green(text),
    yellow: (text) => style().yellow(text),
    cyan: (text) => style().cyan(text),
  };
}

/** Colours the lines of a diff by their sign: `+` green, `-` red, `+/-` yellow. */
export function styleDiff(diff: string, style: Style): string {
  return diff
    .split('\n')
    .map((line) => {
      const sign = /^\s*(\+\/-|\+|-) /.exec(line)?.[1];
      if (sign === undefined) return line;
      return sign === '+/-' ? style.yellow(line) : sign === '+' ? style.green(line) : style.red(line);
    })
    .join('\n');
}
