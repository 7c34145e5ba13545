// A random name for this device, kept here: it says which uploads belong together, not whose they are.

import { recall, remember } from "./store.js";

// crypto.randomUUID is missing where a phone opens the page by plain HTTP.
export function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const uploader = recall("uploader") ?? randomName();
remember("uploader", uploader);
