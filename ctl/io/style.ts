import pc from 'picocolors';

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

/** Colour on a terminal, unless NO_COLOR (any value) or -no-color says otherwise; FORCE_COLOR forces it. */
export function chooseStyle(interactive: boolean, env: Readonly<Record<string, string | undefined>>, noColor: boolean): Style {
  const off = noColor || (env.NO_COLOR ?? '') !== '' || (env.NOMAD_CLI_NO_COLOR ?? '') !== '' || env.TERM === 'dumb';
  const on = (env.FORCE_COLOR ?? '') !== '' && env.FORCE_COLOR !== '0';
  if (off || !(interactive || on)) return plainStyle;
  const colors = pc.createColors(true);
  return {
    colors: true,
    bold: (text) => colors.bold(text),
    dim: (text) => colors.dim(text),
    red: (text) => colors.red(text),
    green: (text) => colors.green(text),
    yellow: (text) => colors.yellow(text),
    cyan: (text) => colors.cyan(text),
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
