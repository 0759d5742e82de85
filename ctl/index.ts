/**
 * The command line. A command is a value (`command.ts`): its name, flags, examples, and a function that is given a client and
 * streams. `program.ts` finds the command that is meant, reads its flags, runs it, and turns whatever it throws into one sentence
 * and an exit code.
 *
 *     argv ─► program ─► command ─► lookup (what does this ID mean?) ─► views (objects in, text out) ─► stdout
 *                            ├────► submit (write a job, guarded)   ─► monitor (follow what comes of it, by watches)
 *                            └────► jobfile (read files; loads jobspec)
 *
 * Start reading at `commands/job/run.ts`. Promises: views are pure and are tested against recorded texts; nothing is polled;
 * errors go to stderr; a start loads the command that is called, and that what it needs, so that `version` and `-help`
 * start in an instant: `commands/index.ts` is a table of names, generated from the commands. Other parts bring commands of their
 * own (`processCommands`), made with `defineCommand`.
 */
export {
  defineClusterCommand,
  defineCommand,
  flag,
  noArguments,
  oneArgument,
  type Call,
  type ClusterContext,
  type Command,
  type CommandEntry,
  type Context,
  type Flag,
  type FlagValues,
  type Flags,
} from './command.ts';
export { CommandError, exitCodes } from './errors.ts';
export { pairs, table } from './io/columns.ts';
export { complain, processIO, say, type IO } from './io/streams.ts';
export { buildProgram, run, type Program, type ProgramOptions } from './program.ts';
