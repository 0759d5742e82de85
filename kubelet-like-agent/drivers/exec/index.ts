import { execFields, toText, toTexts } from '../../../openapi/index.ts';
import type { Driver } from '../driver.ts';
import { processDriver, type ProcessOptions } from '../process/driver.ts';
import { findInside } from '../process/isolate.ts';
import { fingerprintWalls, refusedWalls, settleWalls, workDirOf, type WallPolicy } from '../process/policy.ts';

/**
 * exec: a command of the machine behind walls. It sees the machine's programs and libraries read-only and folders of its own, has no
 * capabilities but those it asks for and may have, cannot gain any, and uses of processor, memory and processes what it was given.
 */
export interface ExecOptions extends ProcessOptions {
  readonly policy: WallPolicy;
}

export function execDriver(options: ExecOptions): Driver {
  const { policy } = options;
  return processDriver(
    {
      name: 'exec',
      filesystem: 'image',
      fields: execFields,
      fingerprint: () => fingerprintWalls('exec'),
      refusals: (config) => refusedWalls(config, policy),
      settle: (task, env) => ({
        ...settleWalls(task, policy),
        command: async () => [
          await findInside(toText(task.config['command'])!, task, env['PATH'] ?? '', workDirOf(task)),
          ...(toTexts(task.config['args']) ?? []),
        ],
      }),
    },
    options,
  );
}
