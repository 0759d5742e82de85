// Makes the tables of commands: what is needed to find, list and complete them, and how to load each. Commands are what the files of a
// folder export in the form of ctl/command.ts; nothing has to be registered anywhere.
import { build } from 'esbuild';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';

const header = '// Generated from the commands in this folder by `npm run generate`. Do not edit.\n\n';

/** The texts of the tables by their paths, not yet formatted. `folders`: the folders of commands, with where the type of an entry is. */
export async function commandTables(root, folders) {
  const table = (folder) => `${folder}/index.ts`;
  const files = Object.keys(folders).flatMap((folder) => sources(root, folder).filter((file) => file !== table(folder)));
  const all = await commandsOf(root, files);
  const owners = new Map();
  for (const { command, file } of all)
    for (const name of [command.name, ...(command.aliases ?? []), ...(command.formerNames ?? [])]) {
      if (owners.has(name)) throw new Error(`two commands are called "${name}": in ${owners.get(name)} and in ${file}`);
      owners.set(name, file);
    }
  const text = (folder, types) =>
    `${header}import type { CommandEntry } from '${types}';\n\nexport const commands: readonly CommandEntry[] = [\n` +
    `${all.flatMap((one) => (one.file.startsWith(`${folder}/`) ? [`${entry(one, folder)},\n`] : [])).join('')}];\n`;
  return Object.fromEntries(Object.entries(folders).map(([folder, types]) => [table(folder), text(folder, types)]));
}

function entry({ command, file, exported }, folder) {
  const { name, aliases, formerNames, summary, hidden } = command;
  const facts = Object.entries({ name, aliases, formerNames, summary, hidden }).filter(([, value]) => value !== undefined);
  const load = `() => import('./${relative(folder, file)}').then((m) => m.${exported})`;
  return `{ ${facts.map(([key, value]) => `${key}: ${JSON.stringify(value)}`).join(', ')}, load: ${load} }`;
}

/** Every exported command, sorted by name. The files are bundled, because they are TypeScript, and run. */
async function commandsOf(root, files) {
  const out = join(root, 'build', `commands-${process.pid}.mjs`);
  mkdirSync(join(root, 'build'), { recursive: true });
  try {
    await build({
      absWorkingDir: root,
      stdin: {
        contents: files.map((file, i) => `export * as m${i} from './${file}';`).join('\n'),
        resolveDir: root,
        loader: 'ts',
      },
      bundle: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      target: 'node20',
      outfile: out,
      logLevel: 'warning',
    });
    const modules = await import(pathToFileURL(out).href);
    return files
      .flatMap((file, i) => Object.entries(modules[`m${i}`]).map(([exported, command]) => ({ file, exported, command })))
      .filter(({ command }) => isCommand(command))
      .sort((a, b) => (a.command.name < b.command.name ? -1 : 1));
  } finally {
    rmSync(out, { force: true });
  }
}

const isCommand = (value) =>
  typeof value === 'object' &&
  value !== null &&
  typeof value.name === 'string' &&
  typeof value.summary === 'string' &&
  typeof value.usesCluster === 'boolean' &&
  typeof value.run === 'function';

const sources = (root, folder) =>
  readdirSync(join(root, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((one) => {
      const path = `${folder}/${one.name}`;
      return one.isDirectory() ? sources(root, path) : path.endsWith('.ts') ? [path] : [];
    });
