import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, watch, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sleep, type Clock } from '../../../base/index.ts';

/**
 * The cgroups (version 2) of raw_exec tasks: `<root>/orch/<node id>/<allocation>.<task>.<run>`. They limit nothing; they are how
 * every process of a task is found and ended, whatever it did to get away (new sessions, double forks). Optional: without
 * permission, or on another system, the process group has to do.
 */
export interface Cgroups {
  create(nodeId: string, name: string): Cgroup | undefined;
  open(path: string): Cgroup | undefined;
  list(nodeId: string): Cgroup[];
}

export function openCgroups(clock: Clock): Cgroups {
  let root: string | undefined;
  let looked = false;
  const base = (): string | undefined => {
    if (!looked) root = findRoot();
    looked = true;
    return root;
  };
  return {
    create(nodeId, name) {
      const at = base();
      if (at === undefined) return undefined;
      const path = join(at, safe(nodeId), safe(name));
      // Twice, since the folder above goes with the last task and may do so in between.
      for (let tries = 0; tries < 2; tries++) {
        try {
          mkdirSync(path, { recursive: true });
          return new Cgroup(path, clock);
        } catch {
          continue;
        }
      }
      return undefined;
    },
    open(path) {
      const at = base();
      return at !== undefined && path.startsWith(`${at}/`) && existsSync(path) ? new Cgroup(path, clock) : undefined;
    },
    list(nodeId) {
      const at = base();
      if (at === undefined) return [];
      try {
        const folder = join(at, safe(nodeId));
        return readdirSync(folder, { withFileTypes: true }).filter((e) => e.isDirectory()).map((e) => new Cgroup(join(folder, e.name), clock)); // prettier-ignore
      } catch {
        return [];
      }
    },
  };
}

function findRoot(): string | undefined {
  // The second is where version 1 and 2 are mounted side by side.
  for (const mount of ['/sys/fs/cgroup', '/sys/fs/cgroup/unified']) {
    if (!existsSync(join(mount, 'cgroup.controllers'))) continue;
    try {
      const root = join(mount, 'orch');
      mkdirSync(root, { recursive: true });
      if (!existsSync(join(root, 'cgroup.kill'))) return undefined; // Linux before 5.14
      return root;
    } catch {
      return undefined;
    }
  }
  return undefined;
}

const safe = (name: string): string => name.replaceAll(/[^\w.-]/g, '_');

export class Cgroup {
  readonly path: string;
  readonly #clock: Clock;
  #frozen: Promise<void> | undefined;

  constructor(path: string, clock: Clock) {
    this.path = path;
    this.#clock = clock;
  }

  get name(): string {
    return this.path.slice(this.path.lastIndexOf('/') + 1);
  }

  pids(): number[] {
    return (this.#read('cgroup.procs') ?? '').split('\n').filter((x) => x !== '').map(Number); // prettier-ignore
  }

  add(pid: number): void {
    this.#write('cgroup.procs', String(pid));
  }

  populated(): boolean {
    return this.#event('populated');
  }

  /** Ends every process in it, and removes it once they are gone. Resolves false when some would not go within `timeout`. */
  async kill(timeout = 5000): Promise<boolean> {
    if (this.populated()) this.#write('cgroup.kill', '1');
    const empty = await this.#until(() => !this.populated(), timeout);
    this.remove();
    return empty;
  }

  remove(): void {
    try {
      rmdirSync(this.path);
      rmdirSync(dirname(this.path)); // the node's, with its last task
    } catch {
      // Not empty (something runs in it) or gone.
    }
  }

  /**
   * Holds all processes still; resolves to what lets them go on. A shell does it, and lets them go as well when we are gone: an
   * agent that is killed at this moment must not leave a task standing still.
   */
  async freeze(): Promise<() => void> {
    // One after the other: who lets go must not do so for another.
    while (this.#frozen !== undefined) await this.#frozen;
    const file = join(this.path, 'cgroup.freeze');
    const shell = spawn('/bin/sh', ['-c', 'trap : INT TERM HUP; echo 1 >"$0"; echo; read -r _; echo 0 >"$0"', file], {
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
    });
    const over = new Promise<void>((resolve) => {
      shell.once('exit', () => resolve());
      shell.once('error', () => resolve());
    });
    this.#frozen = over.then(() => (this.#frozen = undefined));
    await Promise.race([once(shell.stdout, 'data'), over]);
    await this.#until(() => this.#event('frozen') || !this.populated(), 1000);
    return () => void shell.stdin.end();
  }

  usage(): { cpuSeconds: number; memoryBytes?: number; oomKills: number } | undefined {
    const cpu = this.#read('cpu.stat');
    if (cpu === undefined) return undefined;
    const memory = this.#read('memory.current');
    return {
      cpuSeconds: Number(/^usage_usec (\d+)/m.exec(cpu)?.[1] ?? 0) / 1e6,
      ...(memory === undefined ? {} : { memoryBytes: Number(memory) }),
      oomKills: Number(/^oom_kill (\d+)/m.exec(this.#read('memory.events') ?? '')?.[1] ?? 0),
    };
  }

  #event(key: 'populated' | 'frozen'): boolean {
    return new RegExp(`^${key} 1$`, 'm').test(this.#read('cgroup.events') ?? '');
  }

  /** The kernel tells of a change of cgroup.events like of any written file. */
  async #until(holds: () => boolean, timeout: number): Promise<boolean> {
    if (holds()) return true;
    const over = new AbortController();
    let watcher;
    try {
      watcher = watch(join(this.path, 'cgroup.events'), () => holds() && over.abort());
      watcher.on('error', () => over.abort());
    } catch {
      return holds();
    }
    if (!holds()) await sleep(this.#clock, timeout, over.signal);
    watcher.close();
    return holds();
  }

  #read(file: string): string | undefined {
    try {
      return readFileSync(join(this.path, file), 'utf8');
    } catch {
      return undefined;
    }
  }

  #write(file: string, value: string): void {
    try {
      writeFileSync(join(this.path, file), value);
    } catch {
      // The group or the process is gone, which is what was wanted.
    }
  }
}
