// Trying again: later each time, not all at once, and at once when the network is back.

const LONGEST = 30;

export function seconds(attempt, atLeast = 0) {
  const backoff = Math.min(LONGEST, 2 ** (attempt - 1));
  return Math.max(atLeast, backoff * (0.5 + Math.random() / 2));
}

export function pause(duration, signal) {
  return new Promise((resolve, reject) => {
    const finish = (settle, value) => {
      clearTimeout(timer);
      window.removeEventListener("online", awake);
      signal?.removeEventListener("abort", stop);
      settle(value);
    };
    const awake = () => finish(resolve);
    const stop = () => finish(reject, signal.reason);
    const timer = setTimeout(awake, duration * 1000);
    window.addEventListener("online", awake);
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) stop();
  });
}

// Repeats `action` while its problems are passing; `onWait(problem, seconds)` before each pause.
export async function persist(action, { attempts, onWait, signal }) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await action();
    } catch (problem) {
      if (!navigator.onLine) attempt = 1; // without a network nothing was really tried
      if (!problem.passing || attempt >= attempts) throw problem;
      const wait = seconds(attempt, problem.retryAfter);
      onWait?.(problem, wait);
      await pause(wait, signal);
    }
  }
}
