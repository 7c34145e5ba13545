// One experiment's report: what it comes to, its arms, and what sets them apart.

import { chance, count, duration, html, moment, points, share, svg, table } from "./draw.js";

const WIDTH = 720;
const EDGE = 40;

// In plain words; `report` is the body of GET /analytics/experiments/{name}.
export function verdict(report) {
  const said = [];
  if (report.ratio_mismatch) {
    said.push(html("span", { class: "bad" }, `Do not trust this: the arms did not get the shares they were promised (${chance(report.ratio_p_value)}). Something is broken. `));
  }
  for (const [name, images] of Object.entries(report.unserved ?? {})) {
    const { model, version } = report.arms.find((arm) => arm.name === name) ?? {};
    said.push(html("span", { class: "bad" }, `${count(images)} photographs of ${name} were answered outside of this experiment, since the workers could not load ${model ? `${model}@${version}` : "its model"}. `));
  }
  for (const { arm, control, verdict: outcome, missing, missing_images: images } of report.comparisons) {
    const both = [html("strong", {}, arm), " and ", html("strong", {}, control)];
    if (outcome === "better" || outcome === "worse") said.push(html("strong", {}, arm), ` is ${outcome} than `, html("strong", {}, control), ". ");
    else if (outcome === "not judged") said.push("Photographs of one uploader or camera share their arm and are alike: the intervals of ", ...both, " are too narrow to act upon. ");
    else if (outcome === "too early") said.push("Too few photographs have feedback to tell ", ...both, " apart. ");
    else said.push("No difference between ", ...both, " has shown so far. ");
    if (images && (outcome === "too early" || outcome === "no difference yet")) {
      said.push(`To find one of ${points(report.effect).slice(1)} points, ${count(missing)} more with feedback are needed: about ${count(images)} photographs. `);
    }
  }
  if (report.comparisons.length === 0) said.push("A single arm: nothing to compare. ");
  if (report.complete_since) said.push(html("span", { class: "warn" }, `Numbers before ${moment(report.complete_since)} may be incomplete.`));
  return said;
}

export function arms(report) {
  const total = report.arms.reduce((sum, arm) => sum + arm.images, 0);
  return table(
    ["arm", "weight", "photographs", "accuracy", "likely", "uncertain", "not a leaf", "latency, p50"],
    report.arms.map((arm) => [
      [arm.name, html("small", {}, `${arm.model}@${arm.version}`)],
      [share(arm.weight, 0), html("small", {}, total ? `got ${share(arm.images / total)}` : "")],
      count(arm.images),
      measured(arm.accuracy, "with feedback"),
      measured(arm.likely),
      measured(arm.uncertain),
      measured(arm.rejected),
      arm.latency.p50 === null ? "–" : [duration(arm.latency.p50), html("small", {}, `p95 ${duration(arm.latency.p95)}`), html("small", {}, `p99 ${duration(arm.latency.p99)}`)],
    ]),
  );
}

function measured({ value, of, interval }, what) {
  if (value === null) return "–";
  const range = `${share(interval.low)} to ${share(interval.high)}`;
  return [share(value), html("small", {}, range), what ? html("small", {}, `${count(of)} ${what}`) : null];
}

export function comparisons(report) {
  return report.comparisons
    .filter((comparison) => comparison.accuracy.difference)
    .map((comparison) =>
      html(
        "div", { class: "difference wide" },
        html("h3", {}, `${comparison.arm} against ${comparison.control}, percentage points`),
        intervals([["accuracy", comparison.accuracy], ["likely", comparison.likely], ["uncertain", comparison.uncertain], ["not a leaf", comparison.rejected]].filter(([, compared]) => compared.difference)),
      ),
    );
}

// Each difference as a dot with its two intervals, all on one scale around zero.
function intervals(rows) {
  const ends = rows.flatMap(([, { difference, monitor }]) => [difference.interval, monitor?.interval].filter(Boolean).flatMap(({ low, high }) => [low, high]));
  const widest = 100 * Math.max(0.01, ...ends.map(Math.abs));
  const power = 10 ** Math.floor(Math.log10(widest));
  const reach = ([1, 2, 4, 6, 8, 10].find((factor) => factor * power >= widest) * power) / 100;
  const x = (value) => 110 + ((value + reach) / (2 * reach)) * (WIDTH - 110 - 150);
  const height = rows.length * EDGE + 26;
  const span = (name, { low, high }, y) => svg("line", { class: name, x1: x(low), x2: x(high), y1: y, y2: y });
  const drawn = rows.map(([name, { difference, monitor }], row) => {
    const y = row * EDGE + EDGE / 2;
    return [
      svg("text", { x: 0, y: y + 4 }, name),
      monitor && span("span-always", monitor.interval, y),
      span("span-once", difference.interval, y),
      svg("circle", { class: "estimate", cx: x(difference.value), cy: y, r: 5 }),
      svg("text", { x: WIDTH, y: y + 4, "text-anchor": "end" }, `${points(difference.value)} (${chance((monitor ?? difference).p_value)})`),
    ];
  });
  const ticks = [-reach, -reach / 2, 0, reach / 2, reach].map((value) => svg("text", { x: x(value), y: height - 4, "text-anchor": "middle" }, points(value)));
  const label = rows.map(([name, { difference }]) => `${name} ${points(difference.value)} points, ${points(difference.interval.low)} to ${points(difference.interval.high)}`).join("; ");
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label }, svg("line", { class: "zero", x1: x(0), x2: x(0), y1: 0, y2: height - 22 }), drawn, ticks);
}

export function shadows(report) {
  if (report.shadows.length === 0) return [];
  const rows = report.shadows.map((shadow) => [
    shadow.name,
    count(shadow.images),
    measured(shadow.agree),
    [`${count(shadow.healthy.only_first)} / ${count(shadow.healthy.only_second)}`, html("small", {}, chance(shadow.healthy.p_value))],
    [`${count(shadow.correct.only_first)} / ${count(shadow.correct.only_second)}`, html("small", {}, chance(shadow.correct.p_value))],
    often(shadow.disagreement),
  ]);
  return [html("h3", {}, "Shadows, computed for the same photographs"), html("div", { class: "wide" }, table(["shadow", "photographs", "agrees", "healthy only: shown / shadow", "right only: shown / shadow", "most frequent disagreement"], rows))];
}

function often(matrix) {
  const pairs = Object.entries(matrix).flatMap(([shown, row]) => Object.entries(row).map(([other, number]) => ({ shown, other, number })));
  const [most] = pairs.filter(({ shown, other }) => shown !== other).sort((a, b) => b.number - a.number);
  return most ? [`${most.shown} → ${most.other}`, html("small", {}, `${count(most.number)} times`)] : "none";
}
