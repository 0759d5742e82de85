import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** One line of the process table, from /proc; undefined where there is none (the process ended, or this is no Linux). */
export interface Process {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  /** User and system time in clock ticks. */
  readonly ticks: number;
  /** In ticks since boot. With the pid it names a process beyond doubt, whatever pids are given out again later. */
  readonly started: string;
  readonly residentBytes: number;
}

const PAGE = 4096;
/** USER_HZ, which the kernel keeps at 100 towards user space on every architecture Node runs on. */
const TICKS_PER_SECOND = 100;

export function readProcess(pid: number): Process | undefined {
  const text = read(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The name in the second field may hold blanks and parentheses of its own.
  const f = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    pid,
    state: f[0]!,
    parent: Number(f[1]),
    group: Number(f[2]),
    ticks: Number(f[11]) + Number(f[12]),
    started: f[19]!,
    residentBytes: Number(f[21]) * PAGE,
  };
}

export const cpuSeconds = (process: Process): number => process.ticks / TICKS_PER_SECOND;

/** A process and all that descend from it. */
export function processTree(root: number): Process[] {
  const found: Process[] = [];
  for (const stack = [root]; stack.length > 0;) {
    const pid = stack.pop()!;
    const process = readProcess(pid);
    if (process === undefined) continue;
    found.push(process);
    stack.push(...childrenOf(pid));
  }
  return found;
}

export function childrenOf(pid: number): number[] {
  const text = read(`/proc/${pid}/task/${pid}/children`);
  return text === undefined ? [] : text.trim().split(' ').filter((x) => x !== '').map(Number); // prettier-ignore
}

export function allPids(): number[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number); // prettier-ignore
  } catch {
    return [];
  }
}

export function commandLine(pid: number): string[] {
  return read(`/proc/${pid}/cmdline`)?.split('\0') ?? [];
}

/** The path in the version 2 hierarchy. */
export function cgroupOf(pid: number): string | undefined {
  return /^0::(.*)$/m.exec(read(`/proc/${pid}/cgroup`) ?? '')?.[1];
}

let mhz: number | undefined;

/** Of one core. */
export function coreMHz(): number {
  if (mhz !== undefined) return mhz;
  const reported = cpus()[0]?.speed ?? 0;
  mhz = reported > 0 ? reported : 1000;
  return mhz;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
