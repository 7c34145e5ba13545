// Browsers open six connections to one server, all tabs together: what holds one for long must ask first.

export class Slots {
  #free;
  #waiting = [];

  constructor(count) {
    this.#free = count;
  }

  // True if a slot was free; then release() it.
  take() {
    if (this.#free === 0) return false;
    this.#free -= 1;
    return true;
  }

  release() {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }

  // Runs `action` in a slot, in order of arrival.
  async run(action) {
    if (!this.take()) await new Promise((resolve) => this.#waiting.push(resolve));
    try {
      return await action();
    } finally {
      this.release();
    }
  }
}
