// Talking with the program: docs/studio-api.md tells what can be asked for.
import { T } from "./texts.js";

/** Ask for something, and return what the answer says; an error has a sentence for people. */
export async function call(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error(T.offline);
  }
  return answered(response.status, await response.text());
}

function answered(status, text) {
  let found = {};
  try {
    found = JSON.parse(text);
  } catch {
    // Another program has answered.
  }
  if (status >= 400) throw new Error(found.error || T.failed);
  return found;
}

/** Send a picture or a clip; `told` hears which share of it is on its way, `signal` ends it. */
export function send(path, blob, name, told = () => {}, signal = null) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("content-type", /^(image|video)\//.test(blob.type) ? blob.type : "application/octet-stream");
    request.setRequestHeader("x-name", encodeURIComponent(name.slice(-80)));
    request.upload.onprogress = (event) => told(event.loaded / (event.total || 1));
    request.onerror = () => reject(new Error(T.offline));
    request.onabort = () => reject(new Error(T.cancelled));
    signal?.addEventListener("abort", () => request.abort());
    request.onload = () => {
      try {
        resolve(answered(request.status, request.responseText));
      } catch (error) {
        reject(error);
      }
    };
    request.send(blob);
  });
}

export const addPicture = (blob, name, told, signal) => send("/api/pictures", blob, name, told, signal);
export const addMask = (blob) => send("/api/masks", blob, "mask.png");
export const wantLooks = (id) => call("POST", `/api/pictures/${id}/looks`);
export const estimate = (picture, settings) => call("POST", "/api/estimates", { picture, settings });
export const startDream = (picture, settings) => call("POST", "/api/jobs", { picture, settings });
export const stopJob = (id) => call("POST", `/api/jobs/${id}/stop`);
export const goOn = (id) => call("POST", `/api/jobs/${id}/go-on`);
export const cancelJob = (id) => call("DELETE", `/api/jobs/${id}`);

/**
 * Listen for what changes. While nobody looks at the page it is silent, because a browser keeps
 * only six connections to a program for all of its pages; it is told all when it is seen again.
 */
export function listen(heard, connected) {
  let source = null;
  let waiting = 0;
  let pause = 1000;

  function open() {
    clearTimeout(waiting);
    if (source) return;
    source = new EventSource("/api/events");
    for (const kind of ["all", "job", "step", "gone", "look", "picture", "dream", "deleted", "broken"]) {
      source.addEventListener(kind, (event) => {
        pause = 1000;
        connected(true);
        heard(kind, JSON.parse(event.data));
      });
    }
    source.onerror = () => {
      connected(false);
      close();
      waiting = setTimeout(open, pause);
      pause = Math.min(pause * 1.5, 10000);
    };
  }

  function close() {
    source?.close();
    source = null;
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(waiting);
    if (document.hidden) waiting = setTimeout(close, 20000);
    else open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}
