/**
 * The agent of one node: it runs the allocations that are bound to the node and tells what becomes of them. Like a kubelet it
 * is a client of the API server and nothing else; like a kubelet it keeps going when there is none.
 *
 * Its loop: an informer of the Allocations with `spec.nodeName` of this node on one side, the runners of this process on the other;
 * `sync/decide.ts` compares the two after any change and says what to do. Each allocation is then a runner of its own
 * (`allocation/runner.ts`), each task a state machine (`task/machine.ts`, pure) with a shell that does what it asks
 * (`task/runner.ts`) by way of a driver (`drivers/driver.ts`). What has to be told is put into one outbox (`status/outbox.ts`).
 *
 *     Allocations ─► sync/decide ─► AllocationRunner ─► TaskRunner ─► Driver
 *      (informer)                     │ coordinate        │ machine
 *                                     │ health            │ restart policy
 *                                     ├─► CheckSet        └─► state/ (disk, before the driver is asked)
 *                                     └─► ServiceBook ─► Outbox ─► batches
 *     Node, heartbeat ◄─ node/registrar          people ─► API server ─► http/server
 *
 * Start reading at `sync/decide.ts`, then `task/machine.ts`. What is decided is pure and tested as tables: order of tasks, restart,
 * health, services, garbage, sync.
 *
 * Promises: a task is started once, and never restarted without a cause that its events name; the agent may be killed at any
 * instant, tasks run on and the next agent finds them, with exits that happened meanwhile; without a server nothing stops, restarts
 * go on by policy, and on its return one write per allocation brings it up to date; nothing of an ended allocation stays but its
 * directory, until room is needed. An idle agent wakes for its heartbeat only.
 */
import { systemClock, type Clock, type Logger, type LogRing } from '../base/index.ts';
import type { Client } from '../client/index.ts';
import { Agent } from './agent.ts';
import { startCheck } from './checks/index.ts';
import type { AgentConfig } from './config.ts';
import { createDrivers, readDockerPlugin, readWallPlugin, type Driver } from './drivers/index.ts';

export { agentDefaults, type AgentConfig } from './config.ts';

export interface StartAgentOptions {
  readonly client: Client;
  readonly config: AgentConfig;
  readonly clock?: Clock;
  readonly log: Logger;
  /** What people are told who follow the log of the agent. */
  readonly logs?: LogRing;
  /** Default: those that are built in. */
  readonly drivers?: readonly Driver[];
  /** From 0 to 1; spreads restarts and retries. */
  readonly random?: () => number;
}

export interface RunningAgent {
  readonly nodeId: string;
  /** Where its own server listens. */
  readonly port: number;
  /** The ports on which services can be asked for, once they are open. */
  readonly discovery: { readonly dnsPort: number; readonly httpPort: number } | undefined;
  /** Resolves once the node is registered for the first time; rejects never, since the server may be away for long. */
  readonly registered: Promise<void>;
  /** Tasks go on and the next agent finds them, unless `stopTasks`. */
  close(options: { readonly stopTasks: boolean }): Promise<void>;
}

/**
 * Starts the agent: what ran on this node before is taken over first; the server may be reached later.
 *
 * @example
 * const agent = await startAgent({ client, log, config: { ...agentDefaults, dataDir: '/var/lib/orch', version: '0.1.0' } });
 * await agent.close({ stopTasks: false });
 */
export async function startAgent(options: StartAgentOptions): Promise<RunningAgent> {
  const { client, config, clock = systemClock, log, random = Math.random } = options;
  const { rawExec, docker, exec = {}, allowed = [], denied = [] } = config.drivers;
  const drivers =
    options.drivers ??
    createDrivers({
      docker: readDockerPlugin(docker),
      exec: readWallPlugin(exec),
      rawExec,
      allowed,
      denied,
      clock,
      log: log.child('driver'),
    });
  const agent = await Agent.open({ client, config, clock, log, logs: options.logs, drivers, startCheck, random });
  return {
    nodeId: agent.nodeId,
    port: agent.port,
    get discovery() {
      return agent.discovery;
    },
    registered: agent.registered,
    close: (how) => agent.close(how),
  };
}
