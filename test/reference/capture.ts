/** A recorded call: `$ nomad …`, its exit status and what it wrote. */
export interface Capture {
  readonly command: string;
  /** Absent when the call was ended by SIGINT. */
  readonly exit: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export function parseCapture(text: string): Capture {
  const [first = '', second = ''] = text.split('\n', 2);
  const at = text.indexOf('\n--- stdout\n');
  const end = text.lastIndexOf('\n--- stderr');
  if (!first.startsWith('$ ') || !second.startsWith('exit: ') || at < 0 || end < at)
    throw new Error(`not a capture: ${text.slice(0, 80)}`);
  const command = first.slice(2);
  const exit = second.slice('exit: '.length);
  const stdout = text.slice(at + '\n--- stdout\n'.length, end + 1);
  const stderr = text.slice(end + '\n--- stderr\n'.length);
  return { command, exit: /^-?\d+$/.test(exit) ? Number(exit) : undefined, stdout, stderr };
}

/** The text of a capture without its first line, for comparing and showing. */
export function captureText({ exit, stdout, stderr }: Omit<Capture, 'command'>): string {
  const part = (text: string): string => (text === '' ? '' : `${text.replace(/\n+$/, '')}\n`);
  return `exit: ${exit ?? 'interrupted'}\n--- stdout\n${part(stdout)}--- stderr\n${part(stderr)}`;
}
