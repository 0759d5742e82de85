import type { DiffType, FieldDiff, JobDiff, ObjectDiff, TaskDiff, TaskGroupDiff } from './model.ts';

export interface FormatOptions {
  /** Shows the content of what is wholly added or deleted, too. */
  readonly verbose: boolean;
}

const MARK: Record<DiffType, string> = { Added: '+ ', Deleted: '- ', Edited: '+/- ', None: '' };

/**
 * The text of a diff, as `job plan` and `job history -p` show it. Marks stand in front of names; the names of one level are aligned with each other, and so
 * are the values of the fields. There is a blank line after each group.
 */
export function formatJobDiff(diff: JobDiff, { verbose }: FormatOptions): string {
  const lines = [`${MARK[diff.type]}Job: ${quote(diff.id)}`];
  const width = widest([...diff.fields, ...diff.objects, ...diff.taskGroups]);
  if (diff.type === 'Edited' || verbose) lines.push(...contents(diff.fields, diff.objects, 0, width));
  for (const group of diff.taskGroups) lines.push(...groupLines(group, padding(group, width), verbose), '');
  return lines.join('\n');
}

function groupLines(group: TaskGroupDiff, indent: number, verbose: boolean): string[] {
  const updates = Object.entries(group.updates)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([word, count]) => `${count} ${word}`);
  const note = updates.length === 0 ? '' : ` (${updates.join(', ')})`;
  const lines = [`${MARK[group.type]}${' '.repeat(indent)}Task Group: ${quote(group.name)}${note}`];
  const width = widest([...group.fields, ...group.objects, ...group.tasks]);
  if (group.type === 'Edited' || verbose) lines.push(...contents(group.fields, group.objects, indent + 2, width));
  for (const task of group.tasks) lines.push(...taskLines(task, indent + 2, padding(task, width), verbose));
  return lines;
}

function taskLines(task: TaskDiff, start: number, indent: number, verbose: boolean): string[] {
  const head = `${' '.repeat(start)}${MARK[task.type]}${' '.repeat(indent)}Task: ${quote(task.name)}${notes(task.annotations)}`;
  if (task.type === 'None' || (task.type !== 'Edited' && !verbose)) return [head];
  return [head, ...contents(task.fields, task.objects, start + 2, widest([...task.fields, ...task.objects]))];
}

function contents(fields: readonly FieldDiff[], objects: readonly ObjectDiff[], start: number, width: number): string[] {
  const longest = Math.max(0, ...fields.map((f) => length(f.name)));
  return [
    ...fields.map((f) => {
      const value = f.type === 'Added' ? quote(f.new) : f.type === 'Edited' ? `${quote(f.old)} => ${quote(f.new)}` : quote(f.old);
      const name = `${f.name}: ${' '.repeat(longest - length(f.name))}`;
      return `${' '.repeat(start)}${MARK[f.type]}${' '.repeat(padding(f, width))}${name}${value}${notes(f.annotations)}`;
    }),
    ...objects.flatMap((o) => objectLines(o, start, padding(o, width))),
  ];
}

function objectLines(object: ObjectDiff, start: number, indent: number): string[] {
  const mark = MARK[object.type];
  return [
    `${' '.repeat(start)}${mark}${' '.repeat(indent)}${object.name} {`,
    ...contents(object.fields, object.objects, start + indent + 2, widest([...object.fields, ...object.objects])),
    `${' '.repeat(start + mark.length + indent)}}`,
  ];
}

type Marked = { readonly type: DiffType };

const widest = (parts: readonly Marked[]): number => Math.max(0, ...parts.map((p) => MARK[p.type].length));
const padding = (part: Marked, width: number): number => width - MARK[part.type].length;
const notes = (annotations: readonly string[]): string => (annotations.length === 0 ? '' : ` (${annotations.join(', ')})`);
const length = (name: string): number => Buffer.byteLength(name);

const ESCAPES: Record<string, string> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '"': '\\"',
  '\\': '\\\\',
};

/** A text in double quotes on one line, whatever is in it. */
function quote(text: string): string {
  const escaped = text.replace(/["\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffd]|[^\S ]/gu, (c) => {
    const code = c.codePointAt(0)!;
    const hex = code.toString(16);
    return (
      ESCAPES[c] ??
      (code < 0x80
        ? `\\x${hex.padStart(2, '0')}`
        : code > 0xffff
          ? `\\U${hex.padStart(8, '0')}`
          : code === 0xfffd
            ? c
            : `\\u${hex.padStart(4, '0')}`)
    );
  });
  return `"${escaped}"`;
}
