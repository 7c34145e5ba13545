// Requests to the API; every failure is a Problem.

import { Problem, understood } from "./problem.js";
import { uploader } from "./uploader.js";

async function request(path, options) {
  let response;
  let body;
  try {
    response = await fetch(path, options);
    body = await response.text();
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw Problem.lost();
  }
  if (!response.ok) throw Problem.from(response.status, body, response.headers.get("retry-after"));
  return body ? understood(body) : null;
}

export const getJson = (path, { signal } = {}) => request(path, { signal, cache: "no-store" });

const resultPath = (id) => `/result/${encodeURIComponent(id)}`;

export const eventsPath = (id) => `${resultPath(id)}/events`;

// `wait`: seconds the server may hold the answer back until there is one.
export function getResult(id, { wait = 0, signal } = {}) {
  return request(wait ? `${resultPath(id)}?wait=${wait}` : resultPath(id), { signal, cache: "no-store" });
}

export function sendFeedback(id, { label, note }) {
  return request(`${resultPath(id)}/feedback`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Uploader": uploader },
    body: JSON.stringify(note ? { label, note } : { label }),
  });
}
