import { defineClusterCommand, flag, noArguments, oneArgument, type ClusterContext } from '../../command.ts';
import { CommandError } from '../../errors.ts';
import { table } from '../../io/columns.ts';
import { formatFlags, sayData, wantsData } from '../../io/output.ts';
import { say } from '../../io/streams.ts';
import { localTime } from '../../io/time.ts';
import { submitting } from '../../submit.ts';

interface Key {
  readonly id: string;
  readonly state: string;
  readonly created: string;
  readonly root: string;
}

const KEYRING = '/apis/orch.dev/v1/keyring';

const verbose = flag.boolean('Show whole IDs, and the root keys that the keys are wrapped by.');

async function ask(context: ClusterContext, method: string, path: string): Promise<readonly Key[]> {
  return (await context.client.json<{ keys: readonly Key[] }>(method, path)).keys;
}

function keyTable(keys: readonly Key[], whole: boolean): string {
  if (keys.length === 0) return 'No keys: the first one is made when the first variable is written';
  const short = (id: string): string => (whole ? id : id.slice(0, 8));
  return table([
    ['Key', 'State', 'Create Time', ...(whole ? ['Root Key'] : [])],
    ...keys.map(({ id, state, created, root }) => [short(id), state, localTime(created), ...(whole ? [root] : [])]),
  ]);
}

export const keyringList = defineClusterCommand({
  name: 'operator root keyring list',
  summary: 'List the keys that variables are encrypted by',
  usage: '[options]',
  args: noArguments,
  flags: { verbose, ...formatFlags },
  async run({ flags }, context) {
    const keys = await submitting(context, 'error', () => ask(context, 'GET', KEYRING));
    if (wantsData(flags)) {
      return sayData(context, flags, keys.map(({ id, state, created, root }) => ({ KeyID: id, State: state, CreateTime: Date.parse(created) * 1e6, RootKeyID: root }))); // prettier-ignore
    }
    say(context, keyTable(keys, flags.verbose));
  },
});

export const keyringRotate = defineClusterCommand({
  name: 'operator root keyring rotate',
  summary: 'Encrypt variables by a new key from now on',
  usage: '[options]',
  description:
    'What is stored stays as it is until it is written again; with -full all of it is encrypted anew, in the background.',
  args: noArguments,
  flags: { full: flag.boolean('Encrypt all variables anew.'), verbose },
  async run({ flags }, context) {
    const keys = await submitting(context, 'error', () => ask(context, 'POST', `${KEYRING}/rotate${flags.full ? '?full=true' : ''}`)); // prettier-ignore
    say(context, keyTable(flags.full ? keys.filter(({ state }) => state !== 'inactive') : keys.slice(0, 1), flags.verbose));
  },
});

export const keyringRemove = defineClusterCommand({
  name: 'operator root keyring remove',
  summary: 'Forget a key by which nothing is encrypted any more',
  usage: '[options] <key ID>',
  args: oneArgument('key ID'),
  async run({ args: [id] }, context) {
    const matches = (await ask(context, 'GET', KEYRING)).filter((key) => key.id.startsWith(id!));
    if (matches.length !== 1) {
      throw new CommandError(matches.length === 0 ? `There is no key "${id}"` : `Several keys begin with "${id}"\n\n${keyTable(matches, true)}`); // prettier-ignore
    }
    await submitting(context, 'error', () => ask(context, 'DELETE', `${KEYRING}/${matches[0]!.id}`));
    say(context, `Removed encryption key ${matches[0]!.id}`);
  },
});
