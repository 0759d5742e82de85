import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, cpSync, copyFileSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { program, type Output } from '../framework/orchctl.ts';
import { captureText, parseCapture } from './capture.ts';
import type { Cluster } from './cluster.ts';
import type { About } from './documented.ts';
import { idsOf, normalise, normaliseJson, normaliseMonitor, normaliseTable, withoutExcerpts } from './normalise.ts';

export type CaseKind = 'jobspec' | 'plan' | 'transcripts';

export interface Case {
  readonly kind: CaseKind;
  readonly name: string;
  readonly folder: string;
}

/** One recorded call against the same call here, both normalised. */
export interface Check {
  readonly name: string;
  readonly recorded: string;
  readonly ours: string;
  /** What a documented difference may depend on. */
  readonly about?: Pick<About, 'args' | 'repeatedStops'>;
}

export interface Running {
  /** A cluster for calls that need one. */
  cluster(): Promise<Cluster>;
  readonly signal: AbortSignal;
}

/** The cases in a folder and below it, told by what they hold. */
export function findCases(folder: string, depth = 3): Case[] {
  const name = basename(folder);
  if (existsSync(join(folder, 'steps.json'))) return [{ kind: 'transcripts', name, folder }];
  if (existsSync(join(folder, 'case.json'))) {
    const kind = 'steps' in (json(join(folder, 'case.json')) as object) ? 'plan' : 'jobspec';
    return [{ kind, name, folder }];
  }
  if (depth === 0) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => findCases(join(folder, entry.name), depth - 1));
}

const read = (path: string): string => readFileSync(path, 'utf8');
const json = (path: string): unknown => JSON.parse(read(path));

/** Where a case's commands run: a copy of its folder, so that recordings stay as they are. */
async function inCopy<T>(folder: string, work: (dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'orch-ref-'));
  try {
    for (const name of readdirSync(folder))
      if (!isRecording(name)) cpSync(join(folder, name), join(dir, name), { recursive: true });
    return await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What describes a case or came of it; its commands never saw these. */
const isRecording = (name: string): boolean =>
  /^(case|canonical|response|output)\.json$|^(output|validate|plan|plan-verbose|plan-nodiff)\.txt$/.test(name);

interface Call {
  readonly args: readonly string[];
  readonly dir: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Ends the call with SIGINT after so many milliseconds. */
  readonly interruptAfter?: number;
}

async function call(cluster: Cluster, { args, dir, env = {}, input, interruptAfter }: Call): Promise<Output> {
  const options = { cwd: dir, env, ...(input !== undefined && { input }) };
  // A call that hangs must not hold up the rest.
  const seconds = interruptAfter === undefined ? 120 : interruptAfter / 1000;
  return cluster.box.run('timeout', ['-s', 'INT', '-k', '5', String(seconds), process.execPath, program, ...args], options);
}

export async function jobspecChecks({ folder }: Case, { cluster: start }: Running): Promise<Check[]> {
  const recorded = json(join(folder, 'case.json')) as {
    readonly file: string;
    readonly stdin: boolean;
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
  };
  const cluster = await start();
  return inCopy(folder, async (dir) => {
    const path = recorded.stdin ? '-' : recorded.file;
    const input = recorded.stdin ? read(join(folder, recorded.file)) : '';
    const common = { dir, env: recorded.env, input };
    const checks: Check[] = [];
    const text = (output: string): string => withoutExcerpts(normalise(output, { dirs: [dir] }));
    const compare = (file: string, ours: Output, plain?: string): void => {
      const capture = parseCapture(read(join(folder, file)));
      const stdout = plain ?? capture.stdout;
      checks.push({
        name: file,
        recorded: text(captureText({ ...capture, stdout })),
        ours: text(captureText({ ...ours, exit: ours.code })),
      });
    };
    const output = await call(cluster, { ...common, args: ['job', 'run', ...recorded.args, '-output', path] });
    const asJson = join(folder, 'output.json');
    compare('output.txt', output, existsSync(asJson) ? read(asJson) : undefined);
    if (existsSync(join(folder, 'validate.txt')))
      compare('validate.txt', await call(cluster, { ...common, args: ['job', 'validate', ...recorded.args, path] }));
    return checks;
  });
}

export async function planChecks({ folder }: Case, { cluster: start, signal }: Running): Promise<Check[]> {
  const recorded = json(join(folder, 'case.json')) as Record<string, unknown> & {
    readonly steps: readonly {
      readonly run?: string;
      readonly stop?: unknown;
      readonly sleep?: number;
      readonly wait?: string;
    }[];
  };
  const cluster = await start();
  return inCopy(folder, async (dir) => {
    const checks: Check[] = [];
    let job = '';
    for (const step of recorded.steps) {
      signal.throwIfAborted();
      if (step.run !== undefined) {
        job = /^\s*job\s+"([^"]+)"/m.exec(read(join(folder, step.run)))?.[1] ?? job;
        await expectOk(call(cluster, { dir, args: ['job', 'run', '-detach', step.run] }), `job run ${step.run}`);
      }
      if (step.stop !== undefined && step.stop !== false) {
        const name = typeof step.stop === 'string' ? step.stop : job;
        await expectOk(call(cluster, { dir, args: ['job', 'stop', '-detach', name] }), `job stop ${name}`);
      }
      if (step.wait !== undefined) await cluster.reach(step.wait, job);
      if (step.sleep !== undefined) await sleep(step.sleep * 1000);
    }
    for (const [file, value] of Object.entries(recorded)) {
      if (!file.endsWith('.txt') || !existsSync(join(folder, file))) continue;
      const capture = parseCapture(read(join(folder, file)));
      const ours = await call(cluster, { dir, args: (value as { args: string[] }).args });
      const text = (output: string): string => withoutExcerpts(normalise(output, { dirs: [dir] }));
      checks.push({ name: file, recorded: text(captureText(capture)), ours: text(captureText({ ...ours, exit: ours.code })) });
    }
    return checks;
  });
}

async function expectOk(running: Promise<Output>, what: string): Promise<void> {
  const { code, stdout, stderr } = await running;
  if (code !== 0) throw new Error(`${what}: exit ${code}\n${stdout}${stderr}`);
}

interface Step {
  readonly file?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly exit?: number | string;
  readonly sleep?: number;
  readonly wait?: string;
  readonly job?: string;
  readonly write?: string;
  readonly from?: string;
  readonly content?: string;
  readonly host?: string;
}

export async function transcriptChecks({ folder }: Case, { cluster: start, signal }: Running): Promise<Check[]> {
  const steps = json(join(folder, 'steps.json')) as readonly Step[];
  const cluster = await start();
  const dir = mkdtempSync(join(tmpdir(), 'orch-ref-'));
  const checks: Check[] = [];
  /** IDs of the recording and what they are here. */
  const ids = new Map<string, string>();
  const stops = new RepeatedStops();
  try {
    // Files that no step writes are there from the start: those of the flow's folder that are no captures.
    const written = new Set(steps.flatMap((step) => (step.write === undefined ? [] : [step.write])));
    const made = new Set(steps.flatMap((step) => (step.args?.[1] === 'init' ? [step.args.at(-1)!, 'example.nomad'] : [])));
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (!/^\d\d-|^steps\.json$/.test(entry.name) && !written.has(entry.name) && !made.has(entry.name))
        cpSync(join(folder, entry.name), join(dir, entry.name), { recursive: true });
    for (const step of steps) {
      signal.throwIfAborted();
      if (step.sleep !== undefined) await sleep(step.sleep * 1000);
      if (step.wait !== undefined)
        await cluster.reach(step.wait, step.job ?? '').catch((error: Error) => void note(checks, step, error));
      if (step.write !== undefined) {
        if (step.content !== undefined) writeFileSync(join(dir, step.write), step.content);
        else copyFileSync(join(folder, step.from ?? step.write), join(dir, step.write));
      }
      if (step.host !== undefined) await onHost(cluster, step, ids, checks);
      if (step.file === undefined || step.args === undefined) continue;
      const args = await Promise.all(step.args.map((arg) => fill(cluster, arg, ids)));
      const capture = parseCapture(read(join(folder, step.file)));
      const ours = await call(cluster, {
        dir,
        args,
        ...(step.env !== undefined && { env: step.env }),
        ...(step.stdin !== undefined && { input: step.stdin }),
        ...(capture.exit === undefined && { interruptAfter: 4000 }),
      });
      learn(ids, capture.stdout, ours.stdout);
      const check = compareStep(step.file, capture, ours, { dirs: [dir, cluster.box.dir], host: hostname() });
      checks.push({ ...check, about: { args, repeatedStops: stops.before(args) } });
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return checks;
}

/** Counts the stops of jobs that were stopped already. */
class RepeatedStops {
  readonly #stopped = new Set<string>();
  #count = 0;

  before(args: readonly string[]): number {
    const words = args.filter((arg) => !arg.startsWith('-'));
    const [verb, target = ''] = words[0] === 'job' ? words.slice(1) : words;
    const before = this.#count;
    if (verb === 'stop') {
      if (this.#stopped.has(target)) this.#count++;
      this.#stopped.add(target);
      if (args.includes('-purge')) this.#stopped.delete(target);
    } else if (verb === 'run' || verb === 'revert' || verb === 'start') this.#stopped.clear();
    return before;
  }
}

function note(checks: Check[], step: Step, error: Error): void {
  checks.push({ name: `wait ${step.job} ${step.wait}`, recorded: 'reached', ours: error.message.split('\n')[0]! });
}

type Surroundings = Parameters<typeof normalise>[1];

function compareStep(name: string, capture: ReturnType<typeof parseCapture>, ours: Output, around: Surroundings): Check {
  const usage = /^Usage: /m.test(capture.stdout + capture.stderr);
  const shape = (stdout: string): string => {
    if (/^\s*[[{]/.test(stdout)) return normaliseJson(stdout, around);
    return normaliseMonitor(normaliseTable(stdout, around));
  };
  const exit = capture.exit === undefined ? undefined : ours.code;
  if (usage) {
    // Only the status and the stream of a usage screen count.
    const where = (o: { stdout: string; stderr: string }): string => (o.stdout.trim() === '' ? 'stderr' : 'stdout');
    return { name, recorded: `${capture.exit} ${where(capture)}`, ours: `${exit} ${where(ours)}` };
  }
  return {
    name,
    recorded: captureText({ exit: capture.exit, stdout: shape(capture.stdout), stderr: normaliseTable(capture.stderr, around) }),
    ours: captureText({ exit, stdout: shape(ours.stdout), stderr: normaliseTable(withoutExcerpts(ours.stderr), around) }),
  };
}

/** Where two texts have the same number of IDs, those at the same place mean the same thing. */
function learn(ids: Map<string, string>, recorded: string, ours: string): void {
  const a = idsOf(recorded);
  const b = idsOf(ours);
  if (a.length !== b.length) return;
  a.forEach((id, i) => {
    // What was learnt first stays: later lists may have another order.
    if (!ids.has(id)) ids.set(id, b[i]!);
    const short = id.slice(0, 8);
    if (!ids.has(short)) ids.set(short, b[i]!.slice(0, 8));
  });
}

async function fill(cluster: Cluster, arg: string, ids: ReadonlyMap<string, string>): Promise<string> {
  let out = ids.get(arg) ?? arg;
  for (const [whole, name, job = ''] of arg.matchAll(/\{(\w+)(?::([^}]*))?\}/g))
    if (/^(alloc|ALLOC|lalloc|eval|dep|node|idx|stale|child)$/.test(name!))
      out = out.replace(whole, await cluster.symbol(name!, job));
  return out;
}

/** What was done on the machine itself: only the killing of a container or process of a task is known. */
async function onHost(cluster: Cluster, step: Step, ids: ReadonlyMap<string, string>, checks: Check[]): Promise<void> {
  const docker = /^docker (kill|stop|pause|unpause) (\S+?)-<alloc id>/.exec(step.host!);
  if (docker !== null) {
    const last = [...ids.values()].filter((id) => id.length === 36).at(-1) ?? '';
    const { stdout } = await cluster.box.run('docker', ['ps', '--format', '{{.Names}}', '--filter', 'label=orch.dev/task']);
    const all = stdout.split('\n').filter(Boolean);
    const target = all.find((n) => n.includes(last)) ?? `${docker[2]}-${last}`;
    const { code, stderr } = await cluster.box.run('docker', [docker[1]!, target]);
    if (code === 0) return;
    checks.push({ name: `host: ${step.host}`, recorded: 'done', ours: stderr.trim() });
    return;
  }
  checks.push({ name: `host: ${step.host}`, recorded: 'done', ours: 'this runner does not know how' });
}
