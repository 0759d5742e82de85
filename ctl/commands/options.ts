import { flag } from '../command.ts';

/** Flags that many commands share, each worded once. */
export const verbose = flag.boolean('Show whole IDs and times, and more besides.');
export const detach = flag.boolean('Return at once instead of following what happens; the evaluation can be looked at later.');
export const json = flag.boolean('Print JSON.');
export const yes = flag.boolean('Answer yes to the question.', { short: 'y', also: ['auto-approve'] });
export const variables = {
  var: flag.list('<name=value>', 'The value of an input variable of the job file. Repeatable.'),
  varFile: flag.list('<path>', 'A file with values of input variables. Repeatable.'),
} as const;
export const allNamespaces = flag.boolean('All namespaces.', { short: 'A' });
