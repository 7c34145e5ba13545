// The ids of this device's results, newest first; nothing of the photographs.

import { recall, remember } from "./store.js";

const KEPT = 12;

export const ids = () => recall("history", []);

export function add(id) {
  remember("history", [id, ...ids().filter((other) => other !== id)].slice(0, KEPT));
}

export function remove(id) {
  remember("history", ids().filter((other) => other !== id));
}
