// Sending one photograph, as it is. XMLHttpRequest, because fetch does not tell how much has been sent.

import { persist } from "./backoff.js";
import { Problem, understood } from "./problem.js";
import { uploader } from "./uploader.js";

const ATTEMPTS = 8;
const SILENCE_MS = 45_000;

// The key makes a retry safe: the API gives the same task for it. Resolves to {task_id, ...}.
export function upload(file, key, { onProgress, onWait, signal }) {
  return persist(() => send(file, key, onProgress, signal), { attempts: ATTEMPTS, onWait, signal });
}

function send(file, key, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let silence;
    const listen = () => {
      clearTimeout(silence);
      silence = setTimeout(() => request.abort(), SILENCE_MS);
    };
    const stop = () => request.abort();
    const settle = (how, value) => {
      clearTimeout(silence);
      signal.removeEventListener("abort", stop);
      how(value);
    };
    request.upload.onprogress = (event) => {
      listen();
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.onload = () => {
      const { status, responseText } = request;
      try {
        if (status !== 202) throw Problem.from(status, responseText, request.getResponseHeader("retry-after"));
        settle(resolve, understood(responseText));
      } catch (problem) {
        settle(reject, problem);
      }
    };
    request.onerror = () => settle(reject, Problem.lost());
    request.onabort = () => settle(reject, signal.aborted ? signal.reason : Problem.lost());
    signal.addEventListener("abort", stop);

    const form = new FormData();
    form.append("file", file);
    request.open("POST", "/predict");
    request.setRequestHeader("X-Uploader", uploader);
    request.setRequestHeader("Idempotency-Key", key);
    request.send(form);
    listen();
  });
}
