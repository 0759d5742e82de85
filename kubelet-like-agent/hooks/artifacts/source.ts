/** What an `artifact` block asks for, read from its text. Pure. */
import { basename, extname, isAbsolute } from 'node:path';
import type { Artifact } from '../../../openapi/index.ts';

export class ArtifactError extends Error {
  override readonly name = 'ArtifactError';
  /** Whether another try may go better. */
  readonly recoverable: boolean;
  constructor(message: string, options: { recoverable: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.recoverable = options.recoverable;
  }
}

export type Archive = 'tar' | 'tar.gz' | 'tar.xz' | 'tar.bz2' | 'tar.zst' | 'zip' | 'gz' | 'xz' | 'bz2';

export interface Source {
  readonly kind: 'http' | 'git' | 'file';
  /** A URL, or the path of a local file. */
  readonly from: string;
  /** The part of it that is wanted: `…//folder`. */
  readonly subfolder?: string;
  readonly archive?: Archive;
  readonly checksum?: { readonly algorithm: 'md5' | 'sha1' | 'sha256' | 'sha512'; readonly hex: string };
  readonly filename: string;
  readonly ref?: string;
  readonly depth?: number;
}

const ENDS: readonly [string, Archive][] = [
  ['.tar.gz', 'tar.gz'],
  ['.tgz', 'tar.gz'],
  ['.tar.xz', 'tar.xz'],
  ['.txz', 'tar.xz'],
  ['.tar.bz2', 'tar.bz2'],
  ['.tbz2', 'tar.bz2'],
  ['.tar.zst', 'tar.zst'],
  ['.tzst', 'tar.zst'],
  ['.tar', 'tar'],
  ['.zip', 'zip'],
  ['.gz', 'gz'],
  ['.xz', 'xz'],
  ['.bz2', 'bz2'],
];
const DIGITS = { md5: 32, sha1: 40, sha256: 64, sha512: 128 } as const;

const never = (message: string): ArtifactError => new ArtifactError(message, { recoverable: false });

/** Reads source and options, which may stand in the query of the source as well. Throws ArtifactError with what is wrong. */
export function readSource({ source = '', options = {} }: Pick<Artifact, 'source' | 'options'>): Source {
  const forced = /^(git|http|https|file|s3|gcs|hg)::(.*)$/s.exec(source);
  let rest = forced?.[2] ?? source;
  const force = forced?.[1];
  if (force === 's3' || force === 'gcs' || force === 'hg') throw never(`artifacts of kind "${force}" are not built in orch yet`);
  if (force === undefined) {
    // As people write them.
    const hosted = /^(?:github|gitlab|bitbucket)\.(?:com|org)\/[^/]+\/[^/?]+/.exec(rest)?.[0];
    if (hosted !== undefined) return readGit(`https://${hosted.replace(/\.git$/, '')}.git${rest.slice(hosted.length)}`, options);
    if (/^git@[\w.-]+:/.test(rest)) return readGit(rest, options);
  }
  if (force === 'git') return readGit(rest, options);
  if (rest.startsWith('file://')) rest = decodeURIComponent(rest.slice('file://'.length));
  const query = new URLSearchParams(/\?(.*)$/s.exec(rest)?.[1] ?? '');
  const isUrl = /^https?:\/\//i.test(rest);
  if (!isUrl && !isAbsolute(rest)) throw never(`"${source}" is neither a URL nor an absolute path`);
  const asked = new URLSearchParams(query);
  const option = (name: string): string | undefined => options[name] ?? asked.get(name) ?? undefined;
  // Ours; the rest of the query is the server's.
  for (const name of ['archive', 'checksum', 'filename']) query.delete(name);
  const bare = rest.replace(/\?.*$/s, '');
  const [from, subfolder] = splitSubfolder(bare);
  const left = query.toString();
  const filename = option('filename') ?? (basename(isUrl ? decodeURIComponent(new URL(from).pathname) : from) || 'artifact');
  if (filename.includes('/') || filename === '..' || filename === '.') throw never(`filename: "${filename}" must be a name without a path`);
  return {
    kind: isUrl ? 'http' : 'file',
    from: isUrl && left !== '' ? `${from}?${left}` : from,
    filename,
    ...(subfolder !== undefined && { subfolder }),
    ...readArchive(option('archive'), from),
    ...readChecksum(option('checksum')),
  };
} // prettier-ignore

function readGit(text: string, options: Readonly<Record<string, string>>): Source {
  const query = new URLSearchParams(/\?(.*)$/s.exec(text)?.[1] ?? '');
  const [from, subfolder] = splitSubfolder(text.replace(/\?.*$/s, ''));
  const ref = options['ref'] ?? query.get('ref') ?? undefined;
  const depth = options['depth'] ?? query.get('depth') ?? undefined;
  if ((options['sshkey'] ?? query.get('sshkey')) !== null && (options['sshkey'] ?? query.get('sshkey')) !== undefined)
    throw never('sshkey: git over ssh with a key of the job is not built in orch yet');
  if (ref !== undefined && !/^[\w][\w./+@-]*$/.test(ref)) throw never(`ref: "${ref}" is not the name of a commit, branch or tag`);
  if (depth !== undefined && !/^\d+$/.test(depth)) throw never(`depth: "${depth}" is not a number`);
  if (from.startsWith('-')) throw never(`"${from}" is not a repository`);
  return {
    kind: 'git',
    from,
    filename: basename(from, '.git'),
    ...(subfolder !== undefined && { subfolder }),
    ...(ref !== undefined && { ref }),
    ...(depth !== undefined && { depth: Number(depth) }),
  };
}

/** `https://host/repo//folder` names a part of what is there. */
function splitSubfolder(text: string): [string, string | undefined] {
  const start = /^[a-z]+:\/\//i.exec(text)?.[0].length ?? 1;
  const at = text.indexOf('//', start);
  if (at < 0) return [text, undefined];
  const folder = text.slice(at + 2);
  if (folder.split('/').includes('..')) throw never(`"${folder}" leaves the artifact`);
  return [text.slice(0, at), folder === '' ? undefined : folder];
}

function readArchive(option: string | undefined, from: string): { archive?: Archive } {
  if (option === 'false' || option === '0') return {};
  const path = /^https?:/i.test(from) ? new URL(from).pathname : from;
  if (option === undefined || option === 'true') {
    const found = ENDS.find(([end]) => path.toLowerCase().endsWith(end));
    return found === undefined ? {} : { archive: found[1] };
  }
  const named = ENDS.find(([end]) => end === `.${option}`);
  if (named === undefined) throw never(`archive: "${option}" is not a kind of archive that is known (${ENDS.map(([end]) => end.slice(1)).join(', ')})`);
  return { archive: named[1] };
} // prettier-ignore

function readChecksum(text: string | undefined): Pick<Source, 'checksum'> {
  if (text === undefined || text === '') return {};
  const [first, second] = text.split(':');
  const algorithms = Object.keys(DIGITS) as (keyof typeof DIGITS)[];
  const hex = (second ?? first!).toLowerCase();
  const algorithm = second === undefined ? algorithms.find((a) => DIGITS[a] === hex.length) : algorithms.find((a) => a === first);
  if (algorithm === undefined) throw never(`checksum: must begin with ${algorithms.map((a) => `${a}:`).join(', ')}`);
  if (!/^[0-9a-f]*$/.test(hex) || hex.length !== DIGITS[algorithm])
    throw never(`checksum: ${algorithm} has ${DIGITS[algorithm]} hexadecimal digits`);
  return { checksum: { algorithm, hex } };
}

/** The name that a compressed file has without its compression. */
export const withoutExtension = (name: string): string =>
  ['.gz', '.xz', '.bz2'].includes(extname(name)) ? name.slice(0, -extname(name).length) : name;
