/**
 * The output of tasks on disk: `<task>.stdout.<n>` and `<task>.stderr.<n>` in the allocation's `alloc/logs`, the highest n being
 * the newest, `max_files` of `max_file_size` each.
 *
 * read.ts gives it as one stream, from any point, following if asked to. rotate.ts keeps files small that tasks write to
 * themselves (raw_exec); write.ts writes them for drivers that collect output (docker). files.ts is the only one that touches
 * paths: nothing is opened through a link, and nothing but plain files is opened.
 */
export { LogDir, LogError, segmentName, type LogName, type LogType } from './files.ts';
export { KeptLogs, surplusLogs, type KeepLimits, type KeptLog } from './kept.ts';
export { readLog, type ReadLogOptions } from './read.ts';
export { Rotator, type RotatorOptions } from './rotate.ts';
export { SegmentWriter, type LogPosition } from './write.ts';
