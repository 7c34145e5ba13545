// Everything that can go wrong, told in the words of the API's problem documents (RFC 9457).

const PASSING = new Set([0, 408, 425, 429, 500, 502, 503, 504]);

export class Problem extends Error {
  // status 0: the network, not the server. `brief` is what to say while it is tried again.
  constructor({ status = 0, title, brief = title, detail = "", remedy = "", retryAfter = 0 }) {
    super(title);
    Object.assign(this, { status, title, brief, detail, remedy, retryAfter });
  }

  // Whether the same request may succeed later.
  get passing() {
    return PASSING.has(this.status);
  }

  static lost() {
    return new Problem({ title: "The connection was lost", remedy: "Check the network and try again." });
  }

  static from(status, body, retryAfter) {
    let told = {};
    try {
      told = JSON.parse(body);
    } catch {
      // No problem document: whatever stands between us and the API answered.
    }
    return new Problem({
      status,
      title: told.title ?? "The service is in trouble",
      brief: status === 429 ? "Sending more slowly" : "The service is not ready",
      detail: told.detail ?? `It answered with status ${status}.`,
      remedy: told.remedy ?? "",
      retryAfter: Number.parseFloat(retryAfter) || 0,
    });
  }
}

// The JSON of a good answer. Something between us and the API (a hotel's login page) may answer in its place.
export function understood(body) {
  try {
    return JSON.parse(body);
  } catch {
    throw new Problem({
      status: 502,
      title: "Something else answered",
      detail: "The answer did not come from this service.",
      remedy: "Check whether this network wants you to log in first.",
    });
  }
}
