// One photograph on the page, from choosing it to its answer. Draws what it is told and decides nothing.

import { DISEASES } from "./diseases.js";
import { askFeedback } from "./feedback.js";
import { Photo } from "./photo.js";
import { percent, smallPrint, verdict } from "./verdict.js";

const template = document.getElementById("card-template");

export class Card {
  constructor(name) {
    this.element = template.content.firstElementChild.cloneNode(true);
    this.photo = new Photo(this.part(".photo"));
    this.rename(name);
    this.part(".remove").addEventListener("click", () => this.element.dispatchEvent(new Event("remove")));
    this.part(".retry").addEventListener("click", () => this.element.dispatchEvent(new Event("retry")));
  }

  rename(name) {
    this.name = name;
    this.part(".name").textContent = name;
    this.element.setAttribute("aria-label", name);
    this.part(".remove").setAttribute("aria-label", `Remove ${name}`);
  }

  part(selector) {
    return this.element.querySelector(selector);
  }

  // state: waiting | sending | queued | done | failed | problem; the style sheet does the rest.
  state(state, text) {
    this.element.dataset.state = state;
    this.part(".status").textContent = text;
    this.part(".sending").hidden = state !== "sending";
    this.part(".problem").hidden = true;
  }

  sending(share) {
    this.state("sending", share < 1 ? `Sending, ${Math.round(100 * share)} %` : "Sent, waiting for the receipt");
    this.part(".sending").value = share;
  }

  problem({ title, detail, remedy, passing }, state = "problem") {
    this.state(state, "Not diagnosed");
    this.part(".problem").hidden = false;
    this.part(".problem-title").textContent = title;
    this.part(".problem-detail").textContent = [detail, remedy].filter(Boolean).map(sentence).join(" ");
    this.part(".retry").hidden = !passing;
  }

  done(result) {
    const words = verdict(result);
    this.state("done", "Done");
    Object.assign(this.element.dataset, { tone: words.tone, verdict: result.verdict, label: result.label });
    this.part(".answer").hidden = false;
    this.part(".answer-label").textContent = words.title;
    this.part(".answer-lead").textContent = words.lead;
    this.part(".small-print").textContent = smallPrint(result);
    if (words.sure) this.#sure(result, words.sure);
    if (["diagnosed", "likely"].includes(result.verdict)) this.#advise(DISEASES[result.label]);
    this.photo.map(result.verdict === "not_tomato_leaf" ? null : result.heatmap);
    askFeedback(this.part(".feedback"), result);
  }

  #sure(result, text) {
    this.part(".sure").hidden = false;
    const bar = this.part(".sure-bar");
    bar.style.setProperty("--share", result.confidence);
    bar.setAttribute("aria-valuenow", result.confidence);
    bar.setAttribute("aria-valuetext", text);
    bar.setAttribute("aria-label", "Confidence");
    this.part(".sure-text").textContent = text;
    this.part(".top3").hidden = false;
    this.part(".top3-list").replaceChildren(...result.top3.map(weighed));
  }

  #advise({ about, steps }) {
    this.part(".advice").hidden = false;
    this.part(".advice-about").textContent = about;
    this.part(".advice-steps").replaceChildren(...steps.map((step) => element("li", step)));
  }
}

function weighed({ label, display_name: name, probability }) {
  const item = element("li");
  item.dataset.label = label;
  const bar = element("span");
  bar.className = "bar";
  bar.style.setProperty("--share", probability);
  item.append(element("span", name), bar, element("span", percent(probability)));
  return item;
}

function element(name, text = "") {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function sentence(text) {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
