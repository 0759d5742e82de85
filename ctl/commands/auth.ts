import type { Kind } from '../../openapi/index.ts';
import { defineClusterCommand, flag, noArguments, type ClusterContext } from '../command.ts';
import { say } from '../io/streams.ts';
import { findKind } from '../kinds.ts';
import { alignRows } from '../views/server-table.ts';
import { allNamespaces } from './options.ts';

/** Asks the server something about oneself: the question comes back with its answer. */
const ask = <S>(
  { client }: ClusterContext,
  apiVersion: string,
  kind: string,
  plural: string,
  spec: object,
): Promise<{ readonly status?: S }> =>
  // prettier-ignore
  client.json('POST', `/apis/${apiVersion}/${plural}`, { body: { apiVersion, kind, spec } });

export const authCanI = defineClusterCommand({
  name: 'auth can-i',
  summary: 'Ask whether you may do something',
  usage: '[options] <verb> <kind>[/<name>] | <verb> <path>',
  description: 'Prints yes or no; the exit code is 0 or 1.',
  examples: [
    { text: 'May I submit jobs?', command: 'auth can-i create jobs' },
    { text: 'May I stop this one?', command: 'auth can-i delete job/example' },
  ],
  args: { min: 2, max: 3, rule: 'This command takes a verb and a kind' },
  flags: { quiet: flag.boolean('Only the exit code.', { short: 'q' }), subresource: flag.string('<name>', 'A part of it: status, log, exec.'), allNamespaces }, // prettier-ignore
  async run({ args: [verb, what, third], flags }, context) {
    const [word = '', name = third] = what!.startsWith('/') ? [] : what!.split('/');
    const asked = what!.startsWith('/')
      ? { nonResourceAttributes: { verb, path: what } }
      : { resourceAttributes: { verb, name, namespace: flags.allNamespaces ? undefined : context.namespace, subresource: flags.subresource, ...(await resource(context, word)) } }; // prettier-ignore
    const { status } = await ask<{ allowed?: boolean; reason?: string }>(context, 'authorization.k8s.io/v1', 'SelfSubjectAccessReview', 'selfsubjectaccessreviews', asked); // prettier-ignore
    const allowed = status?.allowed === true;
    if (!flags.quiet) say(context, `${allowed ? 'yes' : 'no'}${!allowed && status?.reason ? ` - ${status.reason}` : ''}`);
    return allowed ? 0 : 1;
  },
});

async function resource(context: ClusterContext, word: string): Promise<object> {
  if (word === '*') return { group: '*', resource: '*' };
  const kind: Kind = await findKind(context, word);
  return { group: kind.group, resource: kind.plural };
}

export const authWhoami = defineClusterCommand({
  name: 'auth whoami',
  summary: 'Show who the server takes you for',
  usage: '',
  examples: [{ text: 'Ask the server', command: 'auth whoami' }],
  args: noArguments,
  async run(_call, context) {
    const { status } = await ask<{ userInfo?: { username?: string; groups?: string[] } }>(context, 'authentication.k8s.io/v1', 'SelfSubjectReview', 'selfsubjectreviews', {}); // prettier-ignore
    say(
      context,
      alignRows([
        ['ATTRIBUTE', 'VALUE'],
        ['Username', status?.userInfo?.username ?? ''],
        ['Groups', `[${(status?.userInfo?.groups ?? []).join(' ')}]`],
      ]),
    );
  },
});
