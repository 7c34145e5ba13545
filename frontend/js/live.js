// Waiting for a result: by events; where they fail, by long polls; where too many wait already, by short polls.

import { eventsPath, getResult } from "./api.js";
import { pause, persist } from "./backoff.js";
import { Slots } from "./slots.js";

const held = new Slots(1); // for each tab: six streams of all tabs together would leave no connection to send with
const LONG_POLL = 25;
const SHORT_POLL = 2;

const known = (result) => result.status !== "queued";

// Resolves to the finished result; rejects with the Problem that makes waiting pointless (404, 410).
export async function follow(id, { onWait, signal }) {
  if (!held.take()) return poll(id, { wait: 0, onWait, signal });
  try {
    return (await listen(id, signal)) ?? (await poll(id, { wait: LONG_POLL, onWait, signal }));
  } finally {
    held.release();
  }
}

// Null when the stream ends before the result is there.
function listen(id, signal) {
  return new Promise((resolve, reject) => {
    const source = new EventSource(eventsPath(id));
    const finish = (settle, value) => {
      source.close();
      signal.removeEventListener("abort", stop);
      settle(value);
    };
    const stop = () => finish(reject, signal.reason);
    const hear = (event) => finish(resolve, JSON.parse(event.data));
    source.addEventListener("done", hear);
    source.addEventListener("failed", hear);
    source.onerror = () => finish(resolve, null);
    signal.addEventListener("abort", stop);
  });
}

async function poll(id, { wait, onWait, signal }) {
  for (;;) {
    const asked = performance.now();
    const result = await persist(() => getResult(id, { wait, signal }), { attempts: Infinity, onWait, signal });
    if (known(result)) return result;
    // A long poll that was not held back must not become a flood.
    if (performance.now() - asked < 1000) await pause(SHORT_POLL, signal);
  }
}
