/** Requests to the product's own API, typed by its OpenAPI description (openapi.json). Nothing else in the page calls `fetch`. */

import createClient from "openapi-fetch";
import type { PathsWithMethod, RequiredKeysOf } from "openapi-typescript-helpers";
import { Problem, problemOf } from "./problem";
import type { paths } from "./schema";

/** Above the gateway's own limit, so that its answer, which names the cause, comes first. */
const TIMEOUT_MS = 60_000;

export type GetPath = PathsWithMethod<paths, "get">;
type Operation<P extends GetPath> = paths[P]["get"];
type Parameters<P extends GetPath> = Operation<P> extends { parameters: infer T } ? T : never;
type QueryOf<P extends GetPath> = Parameters<P> extends { query?: infer Q } ? NonNullable<Q> : never;
type PathOf<P extends GetPath> = Parameters<P> extends { path: infer T } ? T : never;

/** What a GET of `P` answers. */
export type Answer<P extends GetPath> = Operation<P> extends { responses: { 200: { content: { "application/json": infer T } } } } ? T : never;

/** Parameters that callers give by themselves; time range and cursor come from the hooks. */
export type Asked<P extends GetPath> = ([PathOf<P>] extends [never] ? { path?: never } : { path: PathOf<P> }) &
  (RequiredKeysOf<QueryOf<P>> extends never ? { query?: OwnQuery<P> } : { query: OwnQuery<P> });
type OwnQuery<P extends GetPath> = Omit<QueryOf<P>, "from" | "to" | "cursor">;

/** The parameters of `P` as they go out, whoever filled them in. */
export interface Sent {
  path?: Readonly<Record<string, unknown>> | undefined;
  query?: Readonly<Record<string, unknown>> | undefined;
}

const client = createClient<paths>({ fetch: send, credentials: "same-origin", headers: { Accept: "application/json" } });

/** Raises Problem. */
export async function get<P extends GetPath>(path: P, params: Sent, signal: AbortSignal): Promise<Answer<P>> {
  // Asked<P> has been checked where the question was put; what openapi-fetch infers for an open P is not expressible.
  const { data } = await readable(client.GET(path, { params, signal } as never));
  return data as Answer<P>;
}

/** Raises Problem. */
export const post = ((...request: [never, never]) => readable(client.POST(...request))) as unknown as typeof client.POST;

async function readable<T>(answered: Promise<T>): Promise<T> {
  try {
    return await answered;
  } catch (error) {
    // `send` raises problems; a syntax error is a body that is not the JSON it says it is.
    if (error instanceof SyntaxError) throw new Problem("unreadable", 200, "", String(error), "");
    throw error;
  }
}

async function send(request: Request): Promise<Response> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  try {
    response = await fetch(request, { signal: AbortSignal.any([request.signal, timeout]) });
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw timeout.aborted ? new Problem("timeout", 0, "", "", "") : new Problem("network", 0, "", String(error), "");
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}
