import { createRequire } from 'node:module';
import type { Source } from './source.ts';

/** What HashiCorp's own grammar says about a file. */
export type Opinion = { readonly accepts: true } | { readonly accepts: false; readonly message: string };

/**
 * Asks HashiCorp's parser (compiled to JavaScript; it takes half a second to load, so only who wants certainty asks) whether it takes a text as HCL. Our own
 * parser should agree always; where it does not, a file that works here may not work elsewhere.
 *
 * hcl2-parser answers yes or no. Its no has no reason and may only mean that a file cannot be converted to JSON, so hcl2-json-parser is asked for the words.
 */
export async function secondOpinion(source: Source): Promise<Opinion> {
  const require = createRequire(import.meta.url);
  const { parseToObject } = require('hcl2-parser') as { parseToObject(text: string): readonly [unknown, unknown] };
  const [body] = parseToObject(source.text);
  if (body !== null) return { accepts: true };
  const explain = require('hcl2-json-parser') as { parseToObject(text: string): Promise<unknown> };
  try {
    await explain.parseToObject(source.text);
    return { accepts: true };
  } catch (err) {
    const message = err instanceof Error ? err.message : String(err);
    const syntax = /^parse config: \[([\s\S]*)\]$/.exec(message)?.[1];
    return syntax === undefined ? { accepts: true } : { accepts: false, message: `${source.filename}${syntax}` };
  }
}
