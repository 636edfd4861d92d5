// Every request of the page. A good answer comes back as data, everything else as one `ApiError`.

export class ApiError extends Error {
  /** @param {string} code the API's code, or `unreachable` where no answer came */
  constructor(code, message, { field = null, retriable = false } = {}) {
    super(message);
    this.code = code;
    this.field = field;
    this.retriable = retriable;
  }
}

export function getJson(path) {
  return request(path, {}, (response) => response.json());
}

export function getImage(path, signal) {
  return request(path, { signal }, (response) => response.blob());
}

export async function classify(file, signal) {
  const body = new FormData();
  body.append("file", file);
  try {
    return await request("predict", { method: "POST", body, signal }, (response) => response.json());
  } catch (error) {
    // A server may hang up on a body that is too large before the browser reads its answer.
    if (error.code === "unreachable" && (await isAlive())) {
      throw new ApiError("upload_broken_off", "The server broke off the upload. The file may be too large.", {
        field: "file",
        retriable: true,
      });
    }
    throw error;
  }
}

async function request(path, options, read) {
  let response;
  try {
    response = await fetch(path, options);
    if (response.ok) return await read(response);
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    throw new ApiError("unreachable", "The server does not answer. Is it still running?", { retriable: true });
  }
  throw await errorOf(response);
}

async function errorOf(response) {
  const retriable = response.status === 429 || response.status >= 500;
  try {
    const { code, message, field } = (await response.json()).error;
    return new ApiError(code, message, { field, retriable });
  } catch {
    // Not our own JSON: a proxy in between has answered.
    return new ApiError(`http_${response.status}`, `The server answered with status ${response.status}.`, {
      retriable,
    });
  }
}

async function isAlive() {
  try {
    return (await fetch("health/live")).ok;
  } catch {
    return false;
  }
}
