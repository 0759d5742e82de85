import { defineCommand, flag, oneArgument } from '../command.ts';
import { CommandError } from '../errors.ts';
import { goJson } from '../io/go-json.ts';
import { complain, say } from '../io/streams.ts';
import { jobHcl, nomadJson, readJob } from '../jobfile/index.ts';
import { variables } from './options.ts';

const forms = ['hcl', 'yaml', 'json', 'nomad'] as const;
type Form = (typeof forms)[number];

export const convert = defineCommand({
  name: 'convert',
  summary: 'Write a job file in another form',
  usage: '[options] <path>',
  description:
    'Reads a job in any form (HCL, a Job in YAML or JSON, the JSON of Nomad\'s API; "-" reads it from standard input) and prints it in another: hcl, yaml, json, or nomad for Nomad\'s JSON. ' +
    'Nothing gets lost on the way there and back; variables and functions are worked out, and comments are not kept. No server is asked, and no default filled in.',
  examples: [
    { text: 'A job file as a manifest', command: 'convert example.nomad' },
    { text: "The JSON of Nomad's API as a job file", command: 'convert -to hcl job.json' },
    { text: 'What Nomad would be sent', command: 'convert -to nomad example.nomad' },
  ],
  args: oneArgument('path'),
  completes: 'file',
  flags: {
    to: flag.string('<form>', 'hcl, yaml, json or nomad. Without it: yaml for a job file, hcl for everything else.'),
    hcl1: flag.boolean('Accept the looser syntax of earlier job files.', { hidden: true }),
    ...variables,
  },
  async run({ args: [path], flags }, context) {
    const to = flags.to === undefined ? undefined : forms.find((form) => form === flags.to);
    if (flags.to !== undefined && to === undefined)
      throw new CommandError(`There is no form ${JSON.stringify(flags.to)}: expected hcl, yaml, json or nomad`);
    const { job, tokens } = await readJob(context, path!, flags);
    if (Object.keys(tokens).length > 0 && to !== 'nomad')
      complain(context, 'Warning: the tokens in this file are credentials and are left out.');
    const form: Form = to ?? (/\.(ya?ml|json)$/i.test(path!) ? 'hcl' : 'yaml');
    switch (form) {
      case 'hcl':
        return say(context, await jobHcl(job));
      case 'json':
        return say(context, JSON.stringify(job, null, 2));
      case 'nomad':
        return say(context, goJson(await nomadJson(job, tokens)));
      case 'yaml': {
        const { stringify } = await import('yaml');
        return say(context, stringify(job).trimEnd());
      }
    }
  },
});
