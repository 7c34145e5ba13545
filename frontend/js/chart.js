// Lines over time. `series` is the body of GET /analytics/series.

import { figure, html, moment, svg } from "./draw.js";

const WIDTH = 720;
const HEIGHT = 240;
const LEFT = 52;
const BOTTOM = 24;
const TOP = 12;
const HUES = 12;

export function chart(series) {
  const known = series.lines.filter((line) => line.values.some((value) => value !== null));
  const lines = known.filter((line) => line.values.some((value) => value)).length ? known : [];
  if (lines.length === 0) return [html("p", { class: "muted" }, "Nothing in this range.")];

  const last = Math.max(1, series.times.length - 1);
  const ticks = scale(Math.max(...lines.flatMap((line) => line.values)));
  const x = (index) => LEFT + (index / last) * (WIDTH - LEFT - 8);
  const y = (value) => TOP + (1 - value / ticks.at(-1)) * (HEIGHT - TOP - BOTTOM);
  const cursor = svg("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
  const drawing = svg(
    "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${series.metric}, ${series.unit}` },
    ticks.map((tick) => [
      svg("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y(tick), y2: y(tick) }),
      svg("text", { x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }, figure(tick)),
    ]),
    hours(series.times).map((index) => svg("text", { x: x(index), y: HEIGHT - 6, "text-anchor": "middle" }, clock(series.times[index], series.window.step))),
    lines.map((line, number) => trace(line.values, `hue-${number % HUES}`, x, y)),
    cursor,
  );

  const when = html("li", { class: "when" });
  const values = lines.map(() => html("b"));
  const legend = html("ul", { class: "legend" }, when, ...lines.map((line, number) => html("li", { class: `hue-${number % HUES}` }, svg("svg", { viewBox: "0 0 18 8" }, svg("line", { class: "swatch", x1: 3, x2: 15, y1: 4, y2: 4 })), `${line.name} `, values[number])));
  const tell = (index) => {
    when.textContent = moment(series.times[index]);
    lines.forEach((line, number) => {
      const value = line.values[index];
      values[number].textContent = value === null ? "–" : figure(value);
    });
  };
  tell(series.times.length - 1);
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * WIDTH;
    const index = Math.min(series.times.length - 1, Math.max(0, Math.round(((at - LEFT) / (WIDTH - LEFT - 8)) * last)));
    cursor.setAttribute("x1", x(index));
    cursor.setAttribute("x2", x(index));
    cursor.setAttribute("visibility", "visible");
    tell(index);
  });
  return [drawing, html("figcaption", {}, legend)];
}

// A line for each run of buckets that have a value; a dot where one stands alone.
function trace(values, hue, x, y) {
  const runs = [];
  values.forEach((value, index) => {
    if (value === null) return;
    if (index > 0 && values[index - 1] !== null) runs.at(-1).push(index);
    else runs.push([index]);
  });
  return svg("g", { class: hue }, runs.map((run) => {
    if (run.length === 1) return svg("circle", { class: "dot", cx: x(run[0]), cy: y(values[run[0]]), r: 2.5 });
    return svg("polyline", { class: "trace", points: run.map((index) => `${x(index).toFixed(1)},${y(values[index]).toFixed(1)}`).join(" ") });
  }));
}

// Round numbers from 0 to above the largest value.
function scale(largest) {
  const rough = (largest || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  return Array.from({ length: Math.ceil((largest || 1) / step - 1e-9) + 1 }, (_, index) => index * step);
}

const hours = (times) => Array.from({ length: 6 }, (_, part) => Math.round(((times.length - 1) * (part + 0.5)) / 6));

function clock(iso, step) {
  const time = new Date(iso);
  return step === "minute" ? time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : time.toLocaleDateString([], { weekday: "short", hour: "2-digit" });
}
