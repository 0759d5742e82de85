/**
 * Resolves with the first SIGINT or SIGTERM; a second one ends the process at once. SIGHUP reloads where there is something to
 * reload, and is otherwise ignored, so that a closed terminal does not end a server. `giveUp` lets the process end without a signal.
 */
export function untilSignal(options: { reload?: () => void; giveUp?: AbortSignal } = {}): Promise<'SIGINT' | 'SIGTERM'> {
  // Nothing else may keep the process alive (timers and sockets are unreferenced or idle), so this does.
  const alive = setInterval(() => undefined, 2 ** 30);
  options.giveUp?.addEventListener('abort', () => clearInterval(alive), { once: true });
  return new Promise((resolve) => {
    let caught = false;
    const end = (signal: 'SIGINT' | 'SIGTERM') => (): void => {
      if (caught) process.exit(signal === 'SIGINT' ? 130 : 143);
      caught = true;
      clearInterval(alive);
      resolve(signal);
    };
    process.on('SIGINT', end('SIGINT'));
    process.on('SIGTERM', end('SIGTERM'));
    process.on('SIGHUP', () => options.reload?.());
    // A reader of the output that goes away ends most commands at once. What runs here is stopped in order, without a word.
    for (const stream of [process.stdout, process.stderr]) {
      stream.removeAllListeners('error');
      stream.on('error', () => {
        if (!caught) end('SIGTERM')();
      });
    }
  });
}
