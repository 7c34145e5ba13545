// One photograph's way: checked, sent (a few at a time), queued, answered. What goes wrong stands on its card.

import { getResult } from "./api.js";
import { Card } from "./card.js";
import { check } from "./check.js";
import * as history from "./history.js";
import { follow } from "./live.js";
import { Problem } from "./problem.js";
import { Slots } from "./slots.js";
import { upload } from "./upload.js";
import { randomName } from "./uploader.js";

const sending = new Slots(2);
const SLOW_MS = 30_000;

// A photograph just chosen. Returns its card, at once.
export function diagnose(file, announce) {
  const name = file.name || "Photograph";
  const card = new Card(name);
  const key = randomName();
  const control = new AbortController();
  const { signal } = control;
  let id = null;

  async function run() {
    card.state("waiting", "Waiting its turn");
    id ??= (await sending.run(() => {
      signal.throwIfAborted();
      card.sending(0);
      return upload(file, key, { onProgress: (share) => card.sending(share), onWait: waiting(card, "waiting"), signal });
    })).task_id;
    history.add(id);
    await answer(card, id, signal, announce);
  }

  const start = () => guarded(card, signal, announce, run);
  card.element.addEventListener("retry", start);
  card.element.addEventListener("remove", () => {
    control.abort();
    card.photo.close();
    if (id) history.remove(id);
  });

  const refused = check(file);
  if (refused) report(card, refused, announce);
  else {
    card.photo.preview(file);
    start();
  }
  return card;
}

// A photograph sent earlier: its id is all there is. Resolves to its card, or null if the result is gone.
export async function revisit(id, announce) {
  const card = new Card("Sent earlier");
  const control = new AbortController();
  const { signal } = control;
  card.element.addEventListener("remove", () => {
    control.abort();
    history.remove(id);
  });
  let result;
  try {
    result = await getResult(id);
  } catch (problem) {
    if (!problem.passing) history.remove(id);
    return null;
  }
  if (result.queued_at) card.rename(`Sent ${new Date(result.queued_at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}`);
  const start = () => guarded(card, signal, announce, () => answer(card, id, signal, announce));
  card.element.addEventListener("retry", start);
  if (result.status === "queued") start();
  else show(card, result, () => {});
  return card;
}

async function answer(card, id, signal, announce) {
  card.element.dataset.task = id;
  card.state("queued", "Received, being looked at");
  const slow = setTimeout(() => {
    card.state("queued", "Received and safe; it takes longer than usual. You may leave and come back");
  }, SLOW_MS);
  try {
    show(card, await follow(id, { onWait: waiting(card, "queued"), signal }), announce);
  } finally {
    clearTimeout(slow);
  }
}

function show(card, result, announce) {
  card.element.dataset.task = result.task_id;
  if (result.status === "done") {
    card.done(result);
    announce(`${card.name}: ${card.part(".answer-label").textContent}. ${card.part(".sure-text").textContent}`);
  } else {
    report(card, new Problem({
      status: 422,
      title: "This photograph could not be diagnosed",
      detail: result.error ?? "",
      remedy: "Another photograph of the leaf may work.",
    }), announce, "failed");
  }
}

async function guarded(card, signal, announce, action) {
  try {
    await action();
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    report(card, error, announce);
  }
}

function report(card, problem, announce, state) {
  card.problem(problem, state);
  announce(`${card.name}: ${problem.title}`);
}

function waiting(card, state) {
  return (problem, seconds) => card.state(state, `${problem.brief}. Trying again in ${Math.ceil(seconds)} s`);
}
