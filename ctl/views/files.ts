import { bytes } from '../io/amounts.ts';
import { table } from '../io/columns.ts';
import { localTime } from '../io/time.ts';

/** A file in an allocation's folder, as its agent tells of it. */
export interface FileInfo {
  readonly name: string;
  readonly isDir?: boolean;
  readonly size?: number;
  /** `-rw-r--r--` */
  readonly fileMode?: string;
  readonly modTime?: string;
}

export function fileTable(files: readonly FileInfo[], forPrograms: boolean): string {
  return table([
    ['Mode', 'Size', 'Modified Time', 'Name'],
    ...files.map(({ name, isDir, size = 0, fileMode, modTime }) => [
      fileMode,
      forPrograms ? String(size) : bytes(size),
      forPrograms ? modTime : localTime(modTime),
      isDir === true ? `${name}/` : name,
    ]),
  ]);
}
