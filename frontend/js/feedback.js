// "Was this right?": the person's own answer, which may be changed as often as they like.

import { sendFeedback } from "./api.js";
import { DISEASES } from "./diseases.js";

const QUESTIONS = {
  diagnosed: "Was this right?",
  likely: "Was this right?",
  other_tomato_problem: "Do you know what it is?",
  uncertain: "Do you know what it is?",
  not_tomato_leaf: "Is it a tomato leaf after all?",
};

export function askFeedback(form, result) {
  const [yes, no] = form.querySelectorAll("[data-feedback]");
  const [question, fields, said] = ["question", "form", "said"].map((name) => form.querySelector(`.feedback-${name}`));
  const { label, note } = form.elements;

  async function send(truth, remark) {
    for (const control of form.elements) control.disabled = true;
    said.textContent = "Sending…";
    try {
      await sendFeedback(result.task_id, { label: truth, note: remark });
      fields.hidden = true;
      no.setAttribute("aria-expanded", "false");
      said.textContent = `Thank you. Noted as: ${DISEASES[truth].name}.`;
    } catch (problem) {
      said.textContent = [problem.message, problem.remedy].filter(Boolean).join(". ");
    } finally {
      for (const control of form.elements) control.disabled = false;
    }
  }

  const open = () => {
    fields.hidden = false;
    no.setAttribute("aria-expanded", "true");
    label.focus();
  };

  for (const [value, { name }] of Object.entries(DISEASES)) label.add(new Option(name, value));
  question.textContent = QUESTIONS[result.verdict];
  if (["diagnosed", "likely"].includes(result.verdict)) {
    yes.addEventListener("click", () => send(result.label, ""));
    no.addEventListener("click", open);
  } else {
    no.hidden = true;
    yes.addEventListener("click", open);
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(label.value, note.value.trim());
  });
  form.hidden = false;
}
