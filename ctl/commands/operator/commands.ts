import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { IncomingMessage } from 'node:http';
import { defineClusterCommand, flag, noArguments, oneArgument } from '../../command.ts';
import { CommandError, Interrupted } from '../../errors.ts';
import { readStdinBytes, say } from '../../io/streams.ts';

export const operatorApi = defineClusterCommand({
  name: 'operator api',
  summary: 'Ask the API anything',
  usage: '[options] <path>',
  description:
    'Sends a request as it is and prints the answer. With a body the method is POST unless -X says otherwise; "-" reads it from standard input.',
  examples: [
    { text: 'What is served', command: 'operator api /apis/orch.dev/v1' },
    { text: 'Watch, as the server sends it', command: "operator api '/apis/orch.dev/v1/jobs?watch=true'" },
  ],
  args: oneArgument('path'),
  flags: {
    X: flag.string('<method>', 'The method.'),
    d: flag.string('<body>', 'The body; "-" for standard input, "@<path>" for a file.'),
    H: flag.list('<header>', 'A header, as "Name: value". Repeatable.'),
    dryrun: flag.boolean('Print the request as a curl command instead of sending it.'),
    verbose: flag.boolean('Accepted; there is nothing more to show.', { hidden: true }),
  },
  async run({ args: [path], flags }, context) {
    const at = /^https?:\/\//.test(path!)
      ? new URL(path!).pathname + new URL(path!).search
      : path!.startsWith('/')
        ? path!
        : `/${path}`;
    const body = flags.d === undefined ? undefined : flags.d === '-' ? (await readStdinBytes(context.io)).toString() : flags.d.startsWith('@') ? await readFile(resolve(context.io.cwd, flags.d.slice(1)), 'utf8') : flags.d; // prettier-ignore
    const method = (flags.X ?? (body === undefined ? 'GET' : 'POST')).toUpperCase();
    const headers = Object.fromEntries(
      flags.H.map((line) => {
        const colon = line.indexOf(':');
        if (colon < 1) throw new CommandError(`"${line}" is no header; it should look like "Name: value"`);
        return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    if (flags.dryrun) {
      const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
      const more = [...flags.H.map((line) => ` -H ${quoted(line)}`), ...(body === undefined ? [] : [` -d ${quoted(body)}`])].join(
        '',
      );
      return say(context, `curl -X ${method}${more} ${quoted(context.client.server + at)}`);
    }
    return context.interruptible(async (signal) => {
      try {
        const response = await context.client.stream(method, at, { headers, signal, ...(body !== undefined && { body }) });
        await copy(response, context.io.stdout);
      } catch (error) {
        if (signal.aborted) throw new Interrupted();
        throw error;
      }
      return 0;
    });
  },
});

async function copy(from: IncomingMessage, to: NodeJS.WritableStream): Promise<void> {
  let last = '';
  for await (const chunk of from) {
    last = String(chunk).slice(-1);
    if (!to.write(chunk as Buffer)) await new Promise<void>((resolve) => to.once('drain', resolve));
  }
  if (last !== '' && last !== '\n') to.write('\n');
}

export const operatorMetrics = defineClusterCommand({
  name: 'operator metrics',
  summary: "Print the server's metrics",
  usage: '[options]',
  examples: [{ text: 'As Prometheus reads them', command: 'operator metrics' }],
  description: 'In the text form of Prometheus; -json makes objects of it.',
  args: noArguments,
  flags: {
    json: flag.boolean('Print JSON.'),
    pretty: flag.boolean('Print JSON over several lines, as it does anyway.', { hidden: true }),
    format: flag.string('<format>', 'prometheus, which is the default.', { hidden: true }),
  },
  async run({ flags }, context) {
    if (flags.format !== undefined && flags.format !== 'prometheus')
      throw new CommandError(`There is no format "${flags.format}"; there is prometheus`);
    const parts: Buffer[] = [];
    for await (const part of await context.client.stream('GET', '/metrics', { headers: { accept: 'text/plain' } }))
      parts.push(part as Buffer);
    const text = Buffer.concat(parts).toString('utf8').trimEnd();
    if (!flags.json && !flags.pretty) return say(context, text);
    const samples = text.split('\n').flatMap((line) => {
      const match = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
      if (match === null) return [];
      const labels = [...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, value]) => [key, value]);
      return [{ name: match[1], labels: Object.fromEntries(labels) as Record<string, string>, value: Number(match[3]) }];
    });
    say(context, JSON.stringify(samples, undefined, 4));
  },
});
