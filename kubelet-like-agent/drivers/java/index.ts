import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { javaFields, toText, toTexts, type DriverConfig, type DriverInfo } from '../../../openapi/index.ts';
import { DriverError, type Driver, type TaskStart } from '../driver.ts';
import { processDriver, type ProcessOptions } from '../process/driver.ts';
import { fingerprintWalls, refusedWalls, settleWalls, type WallPolicy } from '../process/policy.ts';

/** java: a jar or a class, run by the machine's Java behind the walls that exec has. */
export interface JavaOptions extends ProcessOptions {
  readonly policy: WallPolicy;
}

export function javaDriver(options: JavaOptions): Driver {
  const { policy } = options;
  return processDriver(
    {
      name: 'java',
      filesystem: 'image',
      fields: javaFields,
      fingerprint: fingerprintJava,
      refusals: (config) => [...whatToRun(config), ...refusedWalls(config, policy)],
      settle: (task) => ({
        ...settleWalls(task, policy),
        command: () => {
          const java = findJava();
          if (java === undefined) return Promise.reject(new DriverError('the node has no java', { recoverable: false }));
          return Promise.resolve([java, ...javaArguments(task)]);
        },
      }),
    },
    options,
  );
}

function whatToRun(config: DriverConfig): string[] {
  const [jar, main] = [toText(config['jar_path']), toText(config['class'])];
  if (!jar && !main) return ['jar_path: is required, or class'];
  return jar && main ? ['class: give either jar_path or class'] : [];
}

/** The order that java takes them in: options, what to run, its own arguments. */
export function javaArguments({ config }: Pick<TaskStart, 'config'>): string[] {
  const [jar, main, classPath] = [toText(config['jar_path']), toText(config['class']), toText(config['class_path'])];
  return [
    ...(toTexts(config['jvm_options']) ?? []),
    ...(classPath ? ['-cp', classPath] : []),
    ...(jar ? ['-jar', jar] : []),
    ...(main ? [main] : []),
    ...(toTexts(config['args']) ?? []),
  ];
}

/** As the task finds it: only programs of the machine that are shown to it count. */
function findJava(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((dir) => dir.startsWith('/usr/') || dir === '/bin');
  return [...folders, '/usr/bin', '/usr/local/bin'].map((dir) => join(dir, 'java')).find((path) => existsSync(path));
}

async function fingerprintJava(): Promise<DriverInfo> {
  const java = findJava();
  if (java === undefined) return { detected: false, healthy: false, description: 'java was not found' };
  const said = await promisify(execFile)(java, ['-version'], { timeout: 20_000 }).then(({ stdout, stderr }) => stdout + stderr, () => undefined); // prettier-ignore
  if (said === undefined) return { detected: false, healthy: false, description: 'java -version does not answer' };
  return fingerprintWalls('java', javaAttributes(said));
}

/** What `java -version` says, in the names that jobs constrain on. */
export function javaAttributes(said: string): Record<string, string> {
  const [first = '', runtime = '', vm = ''] = said.trim().split('\n').map((line) => line.trim()); // prettier-ignore
  const version = /"([^"]+)"/.exec(first)?.[1];
  return {
    ...(version !== undefined && { 'driver.java.version': version }),
    ...(runtime !== '' && { 'driver.java.runtime': runtime }),
    ...(vm !== '' && { 'driver.java.vm': vm }),
  };
}
