import { defineClusterCommand, flag, oneArgument } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { hintNext, say } from '../../io/streams.ts';
import { goJson } from '../../io/go-json.ts';
import { localTime, roughly } from '../../io/time.ts';
import { nextLaunch, nomadJson, readJob } from '../../jobfile/index.ts';
import { followSubmission, submitJob, submitting } from '../../submit.ts';
import { jobId } from '../../views/lists.ts';
import { sayWarnings } from './warnings.ts';
import { detach, variables, verbose } from '../options.ts';

export const jobRun = defineClusterCommand({
  name: 'job run',
  aliases: ['run'],
  summary: 'Run a new job or update an existing one',
  usage: '[options] <path>',
  description:
    'Submits the job of a file ("-" reads it from standard input) and follows it: what is placed where, then the rollout until ' +
    'it has succeeded or failed. Ctrl-C ends the following; the job goes on.\n\n' +
    'The exit code is 0 when all went well, 2 when something could not be placed, 1 for everything else, such as a failed rollout. ' +
    'With -wait or -follow a batch job ends it with 0, or with the exit code of the task that failed.',
  examples: [
    { text: 'Run a job and wait until it is healthy', command: 'job run example.nomad' },
    { text: 'Only if nobody changed it since the plan was looked at', command: 'job run -check-index 7 example.nomad' },
    { text: 'Submit and return', command: 'job run -detach example.nomad' },
    { text: 'In a pipeline: its output, then its exit code', command: 'job run -wait -follow backup.nomad' },
    { text: 'Show what would be sent', command: 'job run -output example.nomad' },
  ],
  args: oneArgument('path'),
  completes: 'file',
  flags: {
    checkIndex: flag.integer('<index>', 'Only submit if the job modify index is still this one; 0 means that the job must not exist yet. "job plan" prints it.'), // prettier-ignore
    detach,
    wait: flag.boolean(
      'Wait until a batch job has ended, and end with the exit code of its task; a service: until its rollout has.',
    ),
    follow: flag.boolean('Wait, and print what its tasks write meanwhile.'),
    output: flag.boolean("Print the job as JSON, as Nomad's API takes it, and submit nothing."),
    verbose,
    hcl1: flag.boolean('Accept the looser syntax of earlier job files.', { hidden: true }),
    ...variables,
  },
  async run({ args: [path], flags }, context) {
    const { job, tokens } = await readJob(context, path!, flags);
    if (flags.output) {
      say(context, goJson(await nomadJson(job, tokens)));
      return 0;
    }
    const submission = await submitting(
      context,
      'Error submitting job',
      () => submitJob(context, job, { checkIndex: flags.checkIndex }),
      job,
    );
    sayWarnings(context, submission.warnings);

    const { spec } = submission.job;
    if (spec.parameterized !== undefined) {
      say(context, 'Job registration successful');
      hintNext(context, { text: 'Run it', command: `job dispatch ${jobId(submission.job)}` });
      return 0;
    }
    if (spec.periodic !== undefined) {
      say(context, 'Job registration successful');
      const now = context.clock.now();
      const next = await nextLaunch(submission.job, now);
      if (next !== undefined)
        say(context, `Approximate next launch time: ${localTime(next)} (${roughly((next - now) / 1000)} from now)`);
      hintNext(context, { text: 'Launch it now', command: `job periodic force ${jobId(submission.job)}` });
      return 0;
    }
    if (flags.wait || flags.follow) {
      if (flags.detach) throw new CommandError('-detach returns at once: it cannot be used with -wait or -follow');
      const { runToTheEnd } = await import('../../monitor/completion.ts');
      return runToTheEnd(context, submission, { verbose: flags.verbose, follow: flags.follow });
    }
    return followSubmission(context, submission, flags, `Job registration successful\nEvaluation ID: ${submission.evaluation}`);
  },
});
