/** Reading the API from components: cached by path, parameters and times, cancelled when nobody looks any more. */

import type { UseInfiniteQueryResult, UseQueryResult } from "@tanstack/react-query";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { RequiredKeysOf } from "openapi-typescript-helpers";
import { useMemo } from "react";
import { useTime } from "../time/context";
import type { Answer, Asked, GetPath, Sent } from "./client";
import { get } from "./client";
import type { Problem } from "./problem";

type Key = readonly [path: GetPath, asked: Sent, times: { from: string; to: string } | null];

/** Paths that need nothing said beyond the time range may be asked without parameters. */
type Rest<P extends GetPath> =
  RequiredKeysOf<Asked<P>> extends never ? [asked?: Asked<P>, enabled?: boolean] : [asked: Asked<P>, enabled?: boolean];

/**
 * One answer for the time range shown. While the range moves, the answer for the range before stays (with
 * `isPlaceholderData`), so that a refresh does not flash; another question starts empty.
 */
export function useTimedQuery<P extends GetPath>(path: P, ...[asked, enabled = true]: Rest<P>): UseQueryResult<Answer<P>, Problem> {
  const { api } = useTime();
  const sent = asked as Sent | undefined;
  return useQuery<Answer<P>, Problem, Answer<P>, Key>({
    queryKey: [path, sent ?? {}, api],
    queryFn: ({ signal }) => get(path, { ...sent, query: { ...sent?.query, ...api } }, signal),
    placeholderData: (previous, query) => (query && sameQuestion(query.queryKey, [path, sent ?? {}, null]) ? previous : undefined),
    enabled,
  });
}

/** One answer that does not depend on the time range shown; `times` are its own. */
export function useUntimedQuery<P extends GetPath>(
  path: P,
  asked: Asked<P>,
  times: { from?: string; to?: string } = {},
): UseQueryResult<Answer<P>, Problem> {
  const sent = asked as Sent;
  return useQuery<Answer<P>, Problem, Answer<P>, Key>({
    queryKey: [path, { ...sent, query: { ...sent.query, ...times } }, null],
    queryFn: ({ signal }) => get(path, { ...sent, query: { ...sent.query, ...times } }, signal),
  });
}

/** Answers that come in pages. */
export type PagedPath = { [P in GetPath]: Answer<P> extends { next_cursor: string | null } ? P : never }[GetPath];

/** Pages by cursor. `items` are those of all pages so far, the same array while nothing arrived. */
export function usePagedQuery<P extends PagedPath, I>(
  path: P,
  asked: Asked<P>,
  itemsOf: (page: Answer<P>) => readonly I[],
): { query: UseInfiniteQueryResult<{ pages: Answer<P>[] }, Problem>; items: I[] } {
  const { api } = useTime();
  const sent = asked as Sent;
  const query = useInfiniteQuery<Answer<P>, Problem, { pages: Answer<P>[] }, Key, string | null>({
    queryKey: [path, sent, api],
    queryFn: ({ signal, pageParam }) => get(path, { ...sent, query: { ...sent.query, ...api, cursor: pageParam } }, signal),
    initialPageParam: null,
    getNextPageParam: (page) => (page as { next_cursor: string | null }).next_cursor,
    placeholderData: (previous, old) => (old && sameQuestion(old.queryKey, [path, sent, null]) ? previous : undefined),
  });
  const pages = query.data?.pages;
  // `itemsOf` is written in line by every caller; only new pages make new items.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const items = useMemo(() => (pages ?? []).flatMap((page) => [...itemsOf(page)]), [pages]);
  return { query, items };
}

function sameQuestion(a: Key, b: Key): boolean {
  return a[0] === b[0] && JSON.stringify(a[1]) === JSON.stringify(b[1]);
}
