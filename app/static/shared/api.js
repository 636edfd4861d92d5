// Every request of the page. A good answer comes back as data, everything else as one `ApiError`.

import { currentKey, keyInsteadOf } from "./key.js";

/** The code of an error where the connection was lost while something was sent, by a server that is alive. */
export const BROKEN_OFF = "upload_broken_off";

export class ApiError extends Error {
  /** @param {string} code the API's code, or `unreachable` where no answer came */
  constructor(code, message, { field = null, retriable = false } = {}) {
    super(message);
    this.code = code;
    this.field = field;
    this.retriable = retriable;
  }
}

const listeners = [];

/** Calls `listener` with every `ApiError` that the service answers. */
export function onError(listener) {
  listeners.push(listener);
}

export function getJson(path, signal) {
  return request(path, { signal }, json);
}

export function getText(path, signal) {
  return request(path, { signal }, (response) => response.text());
}

export function getImage(path, signal) {
  return request(path, { signal }, (response) => response.blob());
}

export function postJson(path, content, signal) {
  const headers = { "Content-Type": "application/json" };
  return upload(path, { body: JSON.stringify(content), headers, signal }, json);
}

export function remove(path, signal) {
  return request(path, { method: "DELETE", signal }, () => null);
}

/** POST `files` as the form field `file`, once each; the answer as `read` reads it, by default as JSON. */
export async function postFiles(path, files, signal, read = json) {
  const body = new FormData();
  for (const file of files) body.append("file", file);
  try {
    return await upload(path, { body, signal }, read);
  } catch (error) {
    if (error.code === "unreachable" || error.code === BROKEN_OFF) await requireReadable(files);
    if (error.code !== BROKEN_OFF) throw error;
    // A server may hang up on a body that is too large before the browser reads its answer.
    const message = `${error.message} The file may be too large.`;
    throw new ApiError(BROKEN_OFF, message, { field: "file", retriable: true });
  }
}

async function upload(path, options, read) {
  try {
    return await request(path, { method: "POST", ...options }, read);
  } catch (error) {
    if (error.code !== "unreachable" || !(await isAlive())) throw error;
    throw new ApiError(BROKEN_OFF, "The connection was lost before an answer came.", { retriable: true });
  }
}

/** A file may have been moved, changed or deleted since it was chosen, and then it cannot be sent. */
export async function requireReadable(files) {
  for (const file of files) {
    try {
      await file.slice(0, 1).arrayBuffer();
    } catch {
      const message = `“${file.name}” cannot be read any more: choose it again.`;
      throw new ApiError("unreadable_file", message, { field: "file" });
    }
  }
}

function json(response) {
  return response.json();
}

async function request(path, options, read) {
  for (;;) {
    const key = currentKey();
    let response;
    try {
      const headers = key === null ? options.headers : { ...options.headers, "X-API-Key": key };
      response = await fetch(path, { ...options, headers });
      if (response.ok) return await read(response);
    } catch (cause) {
      if (options.signal?.aborted) throw cause;
      throw new ApiError("unreachable", "The server does not answer. Is it still running?", {
        retriable: true,
      });
    }
    if (response.status !== 401) {
      const error = await errorOf(response);
      for (const listener of listeners) listener(error);
      throw error;
    }
    await keyInsteadOf(key);
    options.signal?.throwIfAborted();
  }
}

async function errorOf(response) {
  const retriable = response.status === 429 || response.status >= 500;
  try {
    const { code, message, field } = (await response.json()).error;
    // The field has its own place, and its name is not for reading.
    const words =
      field !== null && message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
    return new ApiError(code, words, { field, retriable });
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
