/** The one program: the command line, and every process of orch. What a command needs is loaded when it runs. */
import { systemClock } from '../base/index.ts';
import { processIO, run } from '../ctl/index.ts';
import { commands as processCommands } from './commands/index.ts';
import { version } from './version.ts';

// Timers of the clock do not keep a process alive; a command that waits for a server to come back must not end for that.
const alive = setInterval(() => undefined, 2 ** 30);

void run(process.argv.slice(2), { io: processIO(), env: process.env, clock: systemClock, version, processCommands }).then(
  (code) => {
    clearInterval(alive);
    process.exitCode = code;
  },
);
