/** The pages of docs/cli, from every command there is. Read by scripts/generate.mjs, and part of no program. */
import { commands } from '../ctl/commands/index.ts';
import { groups } from '../ctl/groups.ts';
import { markdownPages } from '../ctl/manual/markdown.ts';
import { pagesOf } from '../ctl/manual/pages.ts';
import { commands as processCommands } from './commands/index.ts';

export const pages = markdownPages(
  pagesOf(await Promise.all([...commands, ...processCommands].map((entry) => entry.load())), groups),
);
