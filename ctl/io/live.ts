import type { Clock, Timer } from '../../base/index.ts';
import { cut } from './columns.ts';
import { printable, type IO } from './streams.ts';

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/**
 * A block of text that is drawn anew in place, with a spinner, on a terminal. Whoever writes plain lines (a pipe) does not use
 * it. While it lives, lines are cut at the edge of the terminal, so that each takes one row and the cursor is found again.
 */
export class LiveBlock {
  readonly #io: IO;
  readonly #clock: Clock;
  #draw: (spinner: string) => string = () => '';
  /** Rows on the screen. */
  #drawn = 0;
  #frame = 0;
  #timer: Timer | undefined;

  constructor(io: IO, clock: Clock) {
    this.#io = io;
    this.#clock = clock;
  }

  /** Shows a text from now on; it is given the present shape of the spinner. */
  show(draw: (spinner: string) => string): void {
    this.#draw = draw;
    const lines = this.#lines();
    this.#write(lines.join('\n'));
    this.#drawn = lines.length;
    this.#timer ??= this.#tick();
  }

  /** Leaves a last text, whole, on the screen. */
  finish(text: string): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#write(printable(text));
    this.#drawn = 0;
  }

  /** Only the line of the spinner is written again between states. */
  #tick(): Timer {
    return this.#clock.after(100, () => {
      this.#frame = (this.#frame + 1) % frames.length;
      const [first = ''] = this.#lines();
      this.#io.stdout.write(`\x1b[${this.#drawn}A\r${first}\x1b[K\x1b[${this.#drawn}B\r`);
      this.#timer = this.#tick();
    });
  }

  #lines(): string[] {
    const columns = Math.max(10, this.#io.columns() - 1);
    const lines = printable(this.#draw(frames[this.#frame]!)).split('\n');
    const rows = this.#io.rows?.() ?? lines.length + 1;
    return lines.slice(0, Math.max(1, rows - 1)).map((line) => cut(line, columns));
  }

  #write(text: string): void {
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A\r` : '';
    this.#io.stdout.write(`${up}\x1b[J${text}\n`);
  }
}
