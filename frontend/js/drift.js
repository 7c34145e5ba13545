// Drift as a table of bars. `drift` is the body of GET /analytics/drift.

import { count, html, svg, table } from "./draw.js";

const WIDTH = 160;
const FULL = 0.5;
const LEVELS = { none: "alike", moderate: "differs", large: "differs much", too_few: "too few yet" };
const TONES = { moderate: "warn", large: "bad" };

export function drift({ features }) {
  if (features.length === 0) return html("p", { class: "muted" }, "The model cards hold no baselines to compare with.");
  return table(
    ["feature", "against", "photographs", "", "index", ""],
    features.map(({ feature, arm, model, images, psi, level }) => [
      arm ? [feature, html("small", {}, `answers of ${arm}`)] : feature,
      model,
      count(images),
      bar(psi, level),
      level === "too_few" ? "–" : psi.toFixed(3),
      html("span", { class: TONES[level] ?? "muted" }, LEVELS[level]),
    ]),
  );
}

function bar(psi, level) {
  const length = level === "too_few" ? 0 : Math.min(1, psi / FULL) * WIDTH;
  return svg(
    "svg", { viewBox: `0 0 ${WIDTH} 12`, width: WIDTH, height: 12, "aria-hidden": "true" },
    svg("rect", { class: "well", width: WIDTH, height: 12, rx: 3 }),
    svg("rect", { class: `psi ${level}`, width: length, height: 12, rx: 3 }),
    ...[0.1, 0.25].map((mark) => svg("line", { class: "axis", x1: (mark / FULL) * WIDTH, x2: (mark / FULL) * WIDTH, y1: 0, y2: 12 })),
  );
}
