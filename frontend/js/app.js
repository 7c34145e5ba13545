// Puts the page together.

import { diagnose, revisit } from "./diagnosis.js";
import * as history from "./history.js";
import { collect } from "./intake.js";

const list = (name) => document.querySelector(`[data-cards="${name}"]`);
const announcer = document.querySelector("[data-testid=announcer]");
const announce = (text) => { announcer.textContent = text; };

function refresh(cards) {
  cards.closest(".results").hidden = cards.childElementCount === 0;
}

function place(card, cards, where) {
  cards[where](card.element);
  card.element.addEventListener("remove", () => {
    card.element.remove();
    refresh(cards);
    document.querySelector("#upload-input").focus({ preventScroll: true });
  });
  refresh(cards);
}

collect((files) => {
  const cards = files.map((file) => diagnose(file, announce));
  for (const card of [...cards].reverse()) place(card, list("now"), "prepend");
  document.querySelector("#results-title").scrollIntoView();
});

async function earlier() {
  const cards = await Promise.all(history.ids().map((id) => revisit(id, announce)));
  for (const card of cards) if (card) place(card, list("earlier"), "append");
}

document.querySelector("[data-action=forget]").addEventListener("click", () => {
  for (const button of list("earlier").querySelectorAll(".remove")) button.click();
});

const offline = document.querySelector("[data-banner=offline]");
const tellNetwork = () => { offline.hidden = navigator.onLine; };
window.addEventListener("online", tellNetwork);
window.addEventListener("offline", tellNetwork);

tellNetwork();
earlier();
