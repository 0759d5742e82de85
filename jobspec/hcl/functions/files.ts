import { homedir } from 'node:os';
import { basename, dirname, posix, resolve } from 'node:path';
import { evaluate, withVariables, ArgumentError, type HclFunction, type Scope } from '../evaluate.ts';
import { Diagnostics } from '../diagnostic.ts';
import { parseHclTemplate } from '../parser.ts';
import { Source } from '../source.ts';
import { STRING, bool, set, string, type Value } from '../value.ts';
import { define, p, text } from './define.ts';

/** Where `file()` and its like may look. Absent (as on a server): these functions refuse. */
export interface FileAccess {
  /** The folder that relative names start at. */
  readonly directory: string;
  /** The content of a file as text; undefined when there is none. Throws when it may not be read. */
  read(path: string): string | undefined;
  /** Names of all regular files below a folder, with slashes, relative to it. */
  list(path: string): readonly string[];
}

export function files(access: FileAccess | undefined, scope: () => Scope): Record<string, HclFunction> {
  const need = (): FileAccess => {
    if (access === undefined) throw new Error('filesystem function disabled');
    return access;
  };
  const read = (path: string): string => {
    const content = need().read(path);
    if (content === undefined) {
      throw new Error(`no file exists at ${resolve(need().directory, path)}`);
    }
    return content;
  };
  return {
    file: define([p.string('path')], ([path]) => string(read(text(path)))),
    filebase64: define([p.string('path')], ([path]) => string(Buffer.from(read(text(path)), 'utf8').toString('base64'))),
    fileexists: define([p.string('path')], ([path]) => bool(need().read(text(path)) !== undefined)),
    fileset: define([p.string('path'), p.string('pattern')], ([path, pattern]) => {
      const matches = glob(text(pattern));
      return set(
        STRING,
        need()
          .list(text(path))
          .filter((name) => matches.test(name))
          .map(string),
      );
    }),
    templatefile: define([p.string('path'), p.any('vars')], ([path, vars]) => {
      if (vars!.kind !== 'object' && vars!.kind !== 'map') throw new ArgumentError(1, 'invalid vars value: must be a map');
      const source = new Source(read(text(path)), text(path));
      const { expression, diagnostics } = parseHclTemplate(source);
      const collected = new Diagnostics();
      collected.add(diagnostics.list);
      const value: Value = evaluate(
        expression,
        withVariables({ ...scope(), unknownReference: undefined }, vars!.entries),
        collected,
      );
      const first = collected.list.find((d) => d.severity === 'error');
      if (first !== undefined) throw new Error(`${source.filename}: ${first.summary}: ${first.detail}`);
      return value;
    }),
    abspath: define([p.string('path')], ([path]) => string(resolve(access?.directory ?? '.', text(path)))),
    basename: define([p.string('path')], ([path]) => string(text(path) === '' ? '.' : basename(text(path)))),
    dirname: define([p.string('path')], ([path]) => string(dirname(text(path)))),
    pathexpand: define([p.string('path')], ([path]) => string(text(path).replace(/^~(?=\/|$)/, homedir()))),
  };
}

/** A shell pattern: `*` within a name, `**` across folders, `?`, `[abc]`, `{a,b}`. */
function glob(pattern: string): RegExp {
  let source = '';
  const clean = posix.normalize(pattern);
  for (let i = 0; i < clean.length; i++) {
    const c = clean[i]!;
    if (c === '*' && clean[i + 1] === '*') {
      const slash = clean[i + 2] === '/';
      source += slash ? '(?:[^/]+/)*' : '.*';
      i += slash ? 2 : 1;
    } else if (c === '*') source += '[^/]*';
    else if (c === '?') source += '[^/]';
    else if (c === '{') source += '(?:';
    else if (c === '}') source += ')';
    else if (c === ',' && source.lastIndexOf('(?:') > source.lastIndexOf(')')) source += '|';
    else if (c === '[') {
      const end = clean.indexOf(']', i + 1);
      if (end === -1) throw new ArgumentError(1, 'failed to glob pattern: syntax error in pattern');
      source += `[${clean
        .slice(i + 1, end)
        .replace(/^!/, '^')
        .replaceAll('\\', '\\\\')}]`;
      i = end;
    } else source += c.replace(/[.+^$()|\\]/g, '\\$&');
  }
  return new RegExp(`^${source}$`);
}
