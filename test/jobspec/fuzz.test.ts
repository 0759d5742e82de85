import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { formatDiagnostics, formatHcl, formatHclFile, parseJob, takenByHcl1 } from '../../jobspec/index.ts';
import { mutate } from './mutate.ts';
import { random } from './random-job.ts';

const fixtures = fileURLToPath(new URL('../../../test/jobspec/fixtures/jobspec', import.meta.url));
const files = readdirSync(fixtures).flatMap((name) => {
  const file = readdirSync(join(fixtures, name)).find((n) => /^job\.(nomad|hcl)$/.test(n));
  return file === undefined ? [] : [readFileSync(join(fixtures, name, file), 'utf8')];
});

/** A slice here; FUZZ_FILES and FUZZ_SEED choose how many more, as docs/job-files.md says. */
const COUNT = Number(process.env.FUZZ_FILES ?? 600);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
const MOST_MS = 1000;
const MOST_MB = 700;

if (COUNT > 5000) t.setTimeout(0);

t.test(`${COUNT} broken job files: no crash, no hang, no heap of memory`, { timeout: 0 }, async (t) => {
  const next = random(SEED);
  let [accepted, slowest] = [0, 0];
  for (let i = 0; i < COUNT; i++) {
    const text = mutate(files[Math.floor(next() * files.length)]!, next);
    const started = process.cpuUsage();
    try {
      const result = parseJob({ text, filename: 'x.nomad' });
      if (result.ok) {
        accepted++;
        const again = parseJob({ text: formatHcl(result.job), filename: 'x.nomad' });
        if (!again.ok) t.fail(`file ${i}: what was accepted prints as what is refused`, { text });
      } else {
        formatDiagnostics(result.diagnostics);
        takenByHcl1({ text, filename: 'x.nomad' });
      }
      formatHclFile({ text, filename: 'x.nomad' });
    } catch (error) {
      t.fail(`file ${i} of seed ${SEED}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`, { text });
      break;
    }
    const took = process.cpuUsage(started).user / 1e3;
    slowest = Math.max(slowest, took);
    if (took > MOST_MS && !t.ok(took <= MOST_MS, `file ${i} of seed ${SEED} took ${Math.round(took)} ms`, { text })) break;
  }
  t.ok(accepted > 0 && accepted < COUNT, `${accepted} were still job files`);
  const megabytes = process.memoryUsage().rss / 1e6;
  t.ok(megabytes < MOST_MB, `${Math.round(megabytes)} MB in the end, the slowest took ${Math.round(slowest)} ms`);
});
