/**
 * Replays recordings: `main.mjs DIR [-v] [--only TEXT] [--minutes N]`. Exit code 0 when every case is equal (or differs as docs/differences.md says), 1 when
 * some differ, 2 when it could not run.
 */
import { statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { findCases, jobspecChecks, planChecks, transcriptChecks, type Case, type CaseKind, type Check } from './cases.ts';
import { Cluster } from './cluster.ts';
import { lineDiff } from './diff.ts';
import { asDocumented } from './documented.ts';

const usage = 'Usage: npm run test:reference -- DIR [-v] [--only TEXT] [--minutes N]';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

interface Total {
  cases: number;
  equal: number;
  documented: number;
  checks: number;
  equalChecks: number;
  documentedChecks: number;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { verbose: { type: 'boolean', short: 'v' }, only: { type: 'string' }, minutes: { type: 'string' } },
  });
  const [dir] = positionals;
  if (dir === undefined || positionals.length > 1 || statSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    process.stderr.write(`${usage}\n`);
    return 2;
  }
  const cases = findCases(dir).filter(({ name }) => values.only === undefined || name.includes(values.only));
  if (cases.length === 0) {
    process.stderr.write(`${dir}: there are no cases in it\n`);
    return 2;
  }
  const signal = AbortSignal.timeout(Number(values.minutes ?? 60) * 60_000);
  const totals = new Map<CaseKind, Total>();
  const shared = new Clusters();
  for (const signalName of ['SIGINT', 'SIGTERM'] as const)
    process.once(signalName, () => void shared.close().then(() => process.exit(130)));
  try {
    for (const one of cases) {
      const total = totals.get(one.kind) ?? { cases: 0, equal: 0, documented: 0, checks: 0, equalChecks: 0, documentedChecks: 0 };
      totals.set(one.kind, total);
      total.cases++;
      let checks: readonly Check[];
      try {
        signal.throwIfAborted();
        checks = await replay(one, shared, signal);
      } catch (error) {
        const why = signal.aborted ? 'the time is up' : (error as Error).message;
        checks = [{ name: 'replay', recorded: '', ours: why }];
      }
      const unequal = checks.filter((c) => c.recorded !== c.ours);
      const reasons = new Map(
        unequal.map((c) => [c, asDocumented(c.recorded, { ...c.about, folder: one.folder, ours: c.ours })] as const),
      );
      const differing = unequal.filter((c) => reasons.get(c) === undefined);
      total.checks += checks.length;
      total.equalChecks += checks.length - unequal.length;
      total.documentedChecks += unequal.length - differing.length;
      if (unequal.length === 0) total.equal++;
      else if (differing.length === 0) total.documented++;
      say(verdict(`${one.kind}/${one.name}`, differing, [...reasons.values()]));
      if (values.verbose === true)
        for (const check of differing)
          say(`    ${check.name} (- recorded, + here)\n${lineDiff(check.recorded, check.ours).replace(/^/gm, '    ')}`);
    }
  } finally {
    await shared.close();
  }
  say('');
  for (const [kind, total] of totals) {
    const { cases: all, equal, documented, checks, equalChecks, documentedChecks } = total;
    const calls = `${equalChecks} of ${checks} calls equal, ${documentedChecks} as documented`;
    say(`${kind}: ${equal} of ${all} cases equal, ${documented} as documented, ${all - equal - documented} differ; ${calls}`);
  }
  return [...totals.values()].every(({ cases: all, equal, documented }) => all === equal + documented) ? 0 : 1;
}

function verdict(name: string, differing: readonly Check[], reasons: readonly (readonly string[] | undefined)[]): string {
  if (differing.length > 0) return `differs ${name}: ${differing.map((c) => c.name).join(', ')}`;
  const why = [...new Set(reasons.flatMap((r) => r ?? []))];
  return why.length === 0 ? `equal   ${name}` : `as documented ${name}: ${why.join(', ')}`;
}

/** Plans and transcripts begin on an empty cluster; nothing that is done with a job file changes one, so these share it. */
class Clusters {
  #open: Cluster | undefined;
  #fresh = false;

  async get(needsFresh: boolean): Promise<Cluster> {
    if (needsFresh && !this.#fresh) await this.close();
    this.#open ??= await Cluster.start();
    this.#fresh = !needsFresh;
    return this.#open;
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    this.#fresh = false;
    await open?.close();
  }
}

function replay(one: Case, clusters: Clusters, signal: AbortSignal): Promise<Check[]> {
  const running = { signal, cluster: () => clusters.get(one.kind !== 'jobspec') };
  switch (one.kind) {
    case 'jobspec':
      return jobspecChecks(one, running);
    case 'plan':
      return planChecks(one, running);
    case 'transcripts':
      return transcriptChecks(one, running);
  }
}

process.exitCode = await main();
