/** Requests to the product's own API. Nothing else in the page calls `fetch`. */

import { Problem, problemOf } from "./problem";

/** Above the gateway's own limit, so that its answer, which names the cause, comes first. */
const TIMEOUT_MS = 60_000;

export type Params = Record<string, string | number | undefined>;

export async function get<T>(path: string, params: Params, signal: AbortSignal): Promise<T> {
  const response = await send(url(path, params), { headers: { Accept: "application/json" } }, signal);
  return (await readJson(response)) as T;
}

export async function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const response = await send(
    path,
    { method: "POST", headers: { Accept: "application/json", "Content-Type": "application/json" }, body: JSON.stringify(body) },
    signal,
  );
  return (response.status === 204 ? undefined : await readJson(response)) as T;
}

function url(path: string, params: Params): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== undefined && value !== "") search.set(name, String(value));
  const query = search.toString();
  return query ? `${path}?${query}` : path;
}

async function send(address: string, init: RequestInit, signal?: AbortSignal): Promise<Response> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  try {
    response = await fetch(address, {
      ...init,
      credentials: "same-origin",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (error) {
    throw failed(error, signal, timeout);
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Problem("unreadable", response.status, "", String(error), response.headers.get("x-request-id") ?? "");
  }
}

function failed(error: unknown, signal: AbortSignal | undefined, timeout: AbortSignal): unknown {
  if (signal?.aborted) return error;
  return timeout.aborted ? new Problem("timeout", 0, "", "", "") : new Problem("network", 0, "", String(error), "");
}

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
