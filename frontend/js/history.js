// The ids of this device's results, newest first, and when they came; nothing of the photographs.

import { recall, remember } from "./store.js";

const KEPT = 12;
const KEPT_MS = 7 * 24 * 3600 * 1000;

const entries = () => recall("history", []).filter(({ at }) => Date.now() - at < KEPT_MS);
const without = (id) => entries().filter((entry) => entry.id !== id);

export const ids = () => entries().map(({ id }) => id);

export function add(id) {
  remember("history", [{ id, at: Date.now() }, ...without(id)].slice(0, KEPT));
}

export function remove(id) {
  remember("history", without(id));
}
