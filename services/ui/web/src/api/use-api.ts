/** Reading the API from components: cached by path, parameters and times, cancelled when nobody looks any more. */

import type { UseInfiniteQueryResult, UseQueryResult } from "@tanstack/react-query";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTime } from "../time/context";
import type { Params } from "./client";
import { get } from "./client";
import type { Problem } from "./problem";

type Key = readonly [path: string, params: Params, times: { from: string; to: string } | null];

/**
 * One answer for the time range shown. While the range moves, the answer for the range before stays (with
 * `isPlaceholderData`), so that a refresh does not flash; another question starts empty.
 */
export function useTimedQuery<T>(path: string, params: Params = {}, enabled = true): UseQueryResult<T, Problem> {
  const { api } = useTime();
  return useQuery<T, Problem, T, Key>({
    queryKey: [path, params, api],
    queryFn: ({ signal }) => get<T>(path, { ...params, ...api }, signal),
    placeholderData: (previous, query) => (query && sameQuestion(query.queryKey, [path, params, null]) ? previous : undefined),
    enabled,
  });
}

/** One answer that does not depend on the time range. */
export function useUntimedQuery<T>(path: string, params: Params = {}, enabled = true): UseQueryResult<T, Problem> {
  return useQuery<T, Problem, T, Key>({
    queryKey: [path, params, null],
    queryFn: ({ signal }) => get<T>(path, params, signal),
    enabled,
  });
}

interface Page {
  next_cursor: string | null;
}

/** Pages by cursor. `items` are those of all pages so far, the same array while nothing arrived. */
export function usePagedQuery<T extends Page, I>(
  path: string,
  params: Params,
  itemsOf: (page: T) => readonly I[],
): { query: UseInfiniteQueryResult<{ pages: T[] }, Problem>; items: I[] } {
  const { api } = useTime();
  const query = useInfiniteQuery<T, Problem, { pages: T[] }, Key, string>({
    queryKey: [path, params, api],
    queryFn: ({ signal, pageParam }) => get<T>(path, { ...params, ...api, cursor: pageParam }, signal),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: (previous, old) => (old && sameQuestion(old.queryKey, [path, params, null]) ? previous : undefined),
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
