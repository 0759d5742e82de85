import { nearest } from '../base/index.ts';
import type { Flag, Flags } from './command.ts';

/**
 * Reads command lines as people write them. Flags work with one dash and with two (`-check-index 7`, `--check-index=7`),
 * switches take a value if it is attached (`-diff=false`), one-letter forms can be glued (`-ojson`, `-wA`), and flags may stand
 * before, between and after the arguments; `--` ends them. The libraries for this know either one dash (Go's habit, which job
 * file users have) or two (that of everybody else), hence our own.
 */
export interface Arguments {
  /** By the keys of the flags. Switches that were not given are absent, lists are empty. */
  readonly values: Readonly<Record<string, boolean | string | number | readonly string[]>>;
  readonly args: readonly string[];
}

/** `checkIndex` as users write it: `check-index`. */
export const dashed = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const booleans: Readonly<Record<string, boolean>> = {
  '1': true, t: true, T: true, true: true, TRUE: true, True: true,
  '0': false, f: false, F: false, false: false, FALSE: false, False: false,
}; // prettier-ignore

/** `flagsAmong`: once there are so many arguments, whatever looks like a flag is an argument too. */
export function parseArguments(
  argv: readonly string[],
  flags: Flags,
  flagsAmong = Infinity,
): Arguments | { readonly problem: string } {
  const find = lookup(flags);
  const values: Record<string, boolean | string | number | readonly string[]> = {};
  for (const [key, flag] of Object.entries(flags)) if (flag.type === 'list') values[key] = [];
  const args: string[] = [];

  /** Takes a value in; the sentence when it cannot be taken. */
  const take = ([key, flag]: Found, word: string, value: string): string | undefined => {
    if (flag.type === 'list') values[key] = [...(values[key] as readonly string[]), value];
    else if (flag.type === 'string') values[key] = value;
    else if (flag.type === 'boolean') {
      const read = booleans[value];
      if (read === undefined) return `invalid boolean value "${value}" for flag -${word}`;
      values[key] = read;
    } else {
      if (!/^[+-]?\d+$/.test(value)) return `invalid value "${value}" for flag -${word}: a whole number is needed`;
      values[key] = Number(value);
    }
    return undefined;
  };

  for (let i = 0; i < argv.length; i++) {
    const token = argv[i]!;
    if (args.length >= flagsAmong) {
      args.push(...argv.slice(i));
      break;
    }
    if (token === '--') {
      args.push(...argv.slice(i + 1));
      break;
    }
    // A negative number is meant as one, unless there is such a flag.
    const isNumber = /^-\d+(\.\d+)?$/.test(token) && find.short(token[1]!) === undefined;
    if (token === '-' || !token.startsWith('-') || isNumber) {
      args.push(token);
      continue;
    }
    const body = token.replace(/^--?/, '');
    const equals = body.indexOf('=');
    const word = equals < 0 ? body : body.slice(0, equals);
    const found = find.long(word) ?? (word.length === 1 ? find.short(word) : undefined);
    const given =
      found !== undefined
        ? [{ found, word, value: equals < 0 ? undefined : body.slice(equals + 1) }]
        : token.startsWith('--')
          ? undefined
          : unglue(body, find.short);
    if (given === undefined) return { problem: unknownFlag(word, flags) };
    for (const { found, word, value } of given) {
      const text = value ?? found[1].implied ?? (found[1].type === 'boolean' ? 'true' : argv[++i]);
      if (text === undefined) return { problem: `flag needs an argument: -${word}` };
      const problem = take(found, word, text);
      if (problem !== undefined) return { problem };
    }
  }
  return { values, args };
}

function unknownFlag(word: string, flags: Flags): string {
  const words = Object.entries(flags).flatMap(([key, flag]) => (flag.hidden === true ? [] : [dashed(key), ...(flag.also ?? [])]));
  const meant = meantBy(word, words);
  return `flag provided but not defined: -${word}${meant === undefined ? '' : `\nDid you mean -${meant}?`}`;
}

type Found = readonly [key: string, flag: Flag];

function lookup(flags: Flags): { long(word: string): Found | undefined; short(letter: string): Found | undefined } {
  const long = new Map<string, Found>();
  const short = new Map<string, Found>();
  for (const [key, flag] of Object.entries(flags)) {
    long.set(dashed(key), [key, flag]);
    for (const name of flag.also ?? []) long.set(name, [key, flag]);
    if (flag.short !== undefined && !short.has(flag.short)) short.set(flag.short, [key, flag]);
  }
  return { long: (word) => long.get(word), short: (letter) => short.get(letter) };
}

/** `-wA` → -w -A; `-ojson` → -o json. Undefined unless every letter is a known flag. */
function unglue(
  body: string,
  short: (letter: string) => Found | undefined,
): { found: Found; word: string; value: string | undefined }[] | undefined {
  const given: { found: Found; word: string; value: string | undefined }[] = [];
  for (let at = 0; at < body.length; at++) {
    const word = body[at]!;
    const found = short(word);
    if (found === undefined) return undefined;
    const rest = body.slice(at + 1).replace(/^=/, '');
    if (found[1].type === 'boolean') {
      given.push({ found, word, value: 'true' });
      continue;
    }
    // Only -ojson and the like: a word that begins with -n is a long flag that was mistyped, not the name of a namespace.
    const isGlued = rest !== '' && body[at + 1] !== '=';
    if (isGlued && word !== 'o' && !/^\d+$/.test(rest)) return undefined;
    given.push({ found, word, value: rest === '' ? undefined : rest });
    break;
  }
  return given;
}

/** The word that was probably meant: at most a third of its letters differ. */
export const meantBy = (word: string, words: Iterable<string>): string | undefined =>
  nearest(word, words, Math.max(1, Math.floor(word.length / 3)));
