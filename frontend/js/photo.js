// The picture of a card: the centre square that the model looks at, and the map of where it looked.

import { paint } from "./heatmap.js";

export class Photo {
  #figure;
  #address = null;
  #heatmap = null;

  constructor(figure) {
    this.#figure = figure;
    this.#part("toggle").addEventListener("click", () => this.#toggle());
  }

  // A format this browser can't show (HEIC, mostly) leaves the drawn leaf in its place.
  preview(file) {
    const image = this.#part("image");
    this.#address = URL.createObjectURL(file);
    image.addEventListener("load", () => {
      image.hidden = false;
      this.#part("none").setAttribute("hidden", "");
      this.#offer();
    });
    image.alt = `Your photograph ${file.name}`;
    image.src = this.#address;
  }

  map(heatmap) {
    this.#heatmap = heatmap;
    this.#offer();
  }

  close() {
    if (this.#address) URL.revokeObjectURL(this.#address);
  }

  // Without a picture below, a map says nothing; either may come first.
  #offer() {
    if (!this.#heatmap || this.#part("image").hidden) return;
    paint(this.#part("heat"), this.#heatmap);
    this.#part("toggle").hidden = false;
  }

  #toggle() {
    const heat = this.#part("heat");
    heat.hidden = !heat.hidden;
    this.#part("toggle").setAttribute("aria-pressed", String(!heat.hidden));
    this.#part("toggle").textContent = heat.hidden ? "Show where it looked" : "Hide where it looked";
  }

  #part(name) {
    return this.#figure.querySelector(`.photo-${name}`);
  }
}
