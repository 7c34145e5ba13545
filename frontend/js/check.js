// What need not be sent to be refused. The server judges all the rest.

import { Problem } from "./problem.js";

const MIB = 1024 * 1024;
const LARGEST = 10 * MIB;

// The Problem with this file, or null.
export function check(file) {
  if (file.size === 0) {
    return new Problem({ status: 422, title: "This file is empty", remedy: "If it is stored in a cloud, download it to this device first." });
  }
  if (file.type && !file.type.startsWith("image/")) {
    return new Problem({ status: 415, title: "This is not a photograph", remedy: "Choose a JPEG, PNG, WebP, HEIC or AVIF file." });
  }
  if (file.size > LARGEST) {
    return new Problem({
      status: 413,
      title: "This photograph is too large",
      detail: `It has ${(file.size / MIB).toFixed(1)} MB; 10 MB are accepted.`,
      remedy: "Choose a smaller size in the camera's settings, or crop it around the leaf: the model looks at a small version anyway.",
    });
  }
  return null;
}
