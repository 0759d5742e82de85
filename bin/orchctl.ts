/** The one program: the command line, and every process of orch. What a command needs is loaded when it runs. */
import { systemClock } from '../base/index.ts';
import { processIO, run } from '../ctl/index.ts';
import { agentCommand } from './commands/agent.ts';
import { apiserverCommand, controllerCommand, nodeAgentCommand, schedulerCommand } from './commands/parts.ts';
import { snapshotInspect, snapshotRestore, snapshotSave, storeMigrate } from './commands/snapshot.ts';
import { version } from './version.ts';

const processCommands = [
  agentCommand,
  apiserverCommand,
  controllerCommand,
  schedulerCommand,
  nodeAgentCommand,
  snapshotInspect,
  snapshotRestore,
  snapshotSave,
  storeMigrate,
];

// Timers of the clock do not keep a process alive; a command that waits for a server to come back must not end for that.
const alive = setInterval(() => undefined, 2 ** 30);

void run(process.argv.slice(2), { io: processIO(), env: process.env, clock: systemClock, version, processCommands }).then(
  (code) => {
    clearInterval(alive);
    process.exitCode = code;
  },
);
