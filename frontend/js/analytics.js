// The page of experiments and numbers: asks every few seconds, and draws what came.

import { getJson } from "./api.js";
import { chart } from "./chart.js";
import { count, html } from "./draw.js";
import { drift } from "./drift.js";
import { arms, comparisons, shadows, verdict } from "./experiment.js";

const EVERY_MS = 10_000;

const at = (name) => document.querySelector(`[data-testid="${name}"]`);
const trouble = at("trouble");
let asked;

async function overview(signal) {
  const found = await getJson("/analytics", { signal });
  const hours = Math.round((Date.parse(found.window.to) - Date.parse(found.window.from)) / 3_600_000);
  const range = hours < 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`;
  const notes = [`${count(found.images)} photographs in ${range}`];
  if (found.failed) notes.push(`${count(found.failed)} failed`);
  if (found.lost) notes.push(`${count(found.lost)} lost`);
  at("totals").textContent = notes.join(", ");
}

async function experiment(signal) {
  const { experiments } = await getJson("/experiments", { signal });
  const choice = at("experiment");
  const names = experiments.map(({ name, state }) => [name, state === "running" ? name : `${name} (stopped)`]);
  if (names.join() !== [...choice.options].map((option) => [option.value, option.text]).join()) {
    const before = choice.value;
    choice.replaceChildren(...names.map(([name, text]) => html("option", { value: name }, text)));
    if (experiments.some(({ name }) => name === before)) choice.value = before;
  }
  if (!choice.value) {
    at("verdict").textContent = "No experiment was ever started.";
    return;
  }
  const report = await getJson(`/analytics/experiments/${encodeURIComponent(choice.value)}`, { signal });
  at("verdict").replaceChildren(...verdict(report));
  at("arms").replaceChildren(arms(report));
  at("comparisons").replaceChildren(...comparisons(report));
  at("shadows").replaceChildren(...shadows(report));
}

async function series(signal) {
  const step = at("by").value === "camera" ? "hour" : at("step").value;
  const query = new URLSearchParams({ metric: at("metric").value, by: at("by").value, step });
  at("series").replaceChildren(...chart(await getJson(`/analytics/series?${query}`, { signal })));
}

async function drifted(signal) {
  at("drift").replaceChildren(drift(await getJson("/analytics/drift", { signal })));
}

// All parts anew; one that fails leaves the others, and what it showed before, as they are.
async function refresh() {
  asked?.abort();
  asked = new AbortController();
  const { signal } = asked;
  const outcomes = await Promise.allSettled([overview(signal), experiment(signal), series(signal), drifted(signal)]);
  if (signal.aborted) return;
  const failed = outcomes.find(({ status }) => status === "rejected")?.reason;
  trouble.hidden = !failed;
  trouble.textContent = failed ? [failed.message, failed.detail, failed.remedy].filter(Boolean).join(". ") : "";
}

for (const choice of document.querySelectorAll("select")) choice.addEventListener("change", refresh);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
setInterval(() => document.hidden || refresh(), EVERY_MS);
refresh();
