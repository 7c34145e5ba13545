// Elements, and numbers as people read them.

const SVG = "http://www.w3.org/2000/svg";

function element(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.flat(Infinity).filter((child) => child !== null));
  return node;
}

export const html = (tag, attributes = {}, ...children) => element(document.createElement(tag), attributes, children);

export const svg = (tag, attributes = {}, ...children) => element(document.createElementNS(SVG, tag), attributes, children);

export function table(head, rows) {
  const cell = (tag) => (content) => html(tag, {}, content);
  return html(
    "table", {},
    html("thead", {}, html("tr", {}, ...head.map(cell("th")))),
    html("tbody", {}, ...rows.map((row) => html("tr", {}, ...row.map(cell("td"))))),
  );
}

const counts = new Intl.NumberFormat("en");
const figures = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

export const count = (number) => counts.format(Math.round(number));

export const figure = (number) => (Math.abs(number) >= 1000 ? count(number) : figures.format(number));

export const share = (value, digits = 1) => `${(100 * value).toFixed(digits)} %`;

export const points = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(100 * value).toFixed(1)}`;

export const chance = (p) => (p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`);

export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${figure(ms / 60_000)} min`;
}

export const moment = (iso) => new Date(iso).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
