import type { Clock, Timer } from '../../base/index.ts';
import type { IO } from './streams.ts';
import { width } from './columns.ts';

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/**
 * A block of text that is drawn anew in place, with a spinner, on a terminal. Whoever writes plain lines (a pipe) does not use
 * it.
 */
export class LiveBlock {
  readonly #io: IO;
  readonly #clock: Clock;
  #draw: (spinner: string) => string = () => '';
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
    this.#redraw();
    this.#timer ??= this.#tick();
  }

  /** Leaves a last text on the screen. */
  finish(text: string): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#draw = () => text;
    this.#redraw();
    this.#drawn = 0;
  }

  /** Only the line of the spinner is written again between states. */
  #tick(): Timer {
    return this.#clock.after(100, () => {
      this.#frame = (this.#frame + 1) % frames.length;
      const [first = ''] = this.#text().split('\n');
      this.#io.stdout.write(`\x1b[${this.#drawn}A\r${first}\x1b[K\x1b[${this.#drawn}B\r`);
      this.#timer = this.#tick();
    });
  }

  #text(): string {
    return this.#draw(frames[this.#frame]!);
  }

  #redraw(): void {
    const text = this.#text();
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : '';
    this.#io.stdout.write(`${up}\x1b[J${text}\n`);
    const columns = Math.max(1, this.#io.columns());
    this.#drawn = text.split('\n').reduce((sum, line) => sum + Math.max(1, Math.ceil(width(line) / columns)), 0);
  }
}
