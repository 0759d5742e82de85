/** The one program: the command line, and every process of orch. What a command needs is loaded when it runs. */
import { systemClock } from '../base/index.ts';
import { processIO, run } from '../ctl/index.ts';
import { agentCommand } from './commands/agent.ts';
import { apiserverCommand, controllerCommand, nodeAgentCommand, schedulerCommand } from './commands/parts.ts';
import { version } from './version.ts';

const processCommands = [agentCommand, apiserverCommand, controllerCommand, schedulerCommand, nodeAgentCommand];

void run(process.argv.slice(2), { io: processIO(), env: process.env, clock: systemClock, version, processCommands }).then(
  (code) => {
    process.exitCode = code;
  },
);
