import { rawExecFields, toText, toTexts } from '../../../openapi/index.ts';
import { DriverError, type Driver } from '../driver.ts';
import { findCommand, findUser } from '../process/command.ts';
import { processDriver, type ProcessOptions } from '../process/driver.ts';

/** raw_exec: a command on the machine itself, with no walls around it, as the user of the agent or another one. */
export interface RawExecOptions extends ProcessOptions {
  /** Off unless the operator turns it on: tasks can do what the agent can. */
  readonly enabled: boolean;
}

export function rawExecDriver(options: RawExecOptions): Driver {
  return processDriver(
    {
      name: 'raw_exec',
      fields: rawExecFields,
      fingerprint() {
        if (!options.enabled) return Promise.resolve({ detected: false, healthy: false, description: 'disabled' });
        if (process.platform === 'win32')
          return Promise.resolve({ detected: false, healthy: false, description: 'needs a POSIX system' });
        return Promise.resolve({ detected: true, healthy: true, description: 'Healthy', attributes: { 'driver.raw_exec': '1' } });
      },
      settle(task, env) {
        if (!options.enabled) throw new DriverError('raw_exec is disabled on this node', { recoverable: false });
        const owner = task.user === undefined || task.user === '' ? undefined : findUser(task.user);
        return {
          ...(owner !== undefined && { owner }),
          command: async () => [
            await findCommand(toText(task.config['command'])!, task, env),
            ...(toTexts(task.config['args']) ?? []),
          ],
        };
      },
    },
    options,
  );
}
