/** One cache for all answers. */

import { QueryCache, QueryClient } from "@tanstack/react-query";
import { Problem } from "./problem";

/** Heard by the session gate: some request was answered 401. */
export const SESSION_ENDED = "airis:session-ended";

export function createQueryClient(): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({
      onError(error) {
        if (error instanceof Problem && error.status === 401) window.dispatchEvent(new Event(SESSION_ENDED));
      },
    }),
    defaultOptions: {
      queries: {
        // Each refresh of a relative range is another entry; old ones must not pile up.
        gcTime: 60_000,
        staleTime: 30_000,
        refetchOnWindowFocus: false,
        retry: (failures, error) => failures < 2 && isTransient(error),
        retryDelay: (failures) => 500 * 2 ** failures,
      },
    },
  });
}

/** Worth asking again unasked: the way is broken, not the question. */
function isTransient(error: Error): boolean {
  return error instanceof Problem && (error.id === "network" || error.status === 502 || error.status === 503);
}
