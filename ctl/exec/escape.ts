/**
 * What somebody types on a raw terminal, where the escape character at the begin of a line speaks to us and not to the remote
 * command: `~.` disconnects, `~~` is one `~`, and before anything else it is nothing special.
 */
export class EscapeReader {
  readonly #escape: number | undefined;
  #at: 'line start' | 'escape' | 'text' = 'line start';

  /** Without a character nothing is special. */
  constructor(character: string | undefined) {
    this.#escape = character?.charCodeAt(0);
  }

  /** What is to be sent on, and whether to disconnect then. */
  read(typed: Buffer): { readonly send: Buffer; readonly end: boolean } {
    if (this.#escape === undefined) return { send: typed, end: false };
    const send: number[] = [];
    for (const byte of typed) {
      if (this.#at === 'escape') {
        if (byte === 0x2e) return { send: Buffer.from(send), end: true };
        send.push(this.#escape);
        this.#at = 'text';
        if (byte === this.#escape) continue;
      } else if (this.#at === 'line start' && byte === this.#escape) {
        this.#at = 'escape';
        continue;
      }
      send.push(byte);
      this.#at = byte === 0x0d || byte === 0x0a ? 'line start' : 'text';
    }
    return { send: Buffer.from(send), end: false };
  }
}

/** The character that `-escape` names; undefined for `none`. Anything longer is no answer. */
export function escapeCharacter(text: string): { readonly character: string | undefined } | undefined {
  if (text === 'none' || text === '') return { character: undefined };
  return /^[\x20-\x7e]$/.test(text) ? { character: text } : undefined;
}
