/** A metric's points, page after page. */

import { useEffect, useMemo } from "react";
import type { MetricPoints, MetricSeries } from "../../api/schema";
import { usePagedQuery } from "../../api/use-api";
import type { Problem } from "../../api/problem";

/** What the API gives at most; fewer pages draw sooner. */
const PAGE_POINTS = 9999;
/** Past this a chart is no clearer, only slower. */
const MAX_PAGES = 5;

interface Metric {
  /** What has arrived so far; `next_cursor` says whether there is more than is shown. */
  data: MetricPoints | undefined;
  error: Problem | null;
  isPending: boolean;
  refetch: () => unknown;
}

export function useMetric(name: string, service: string): Metric {
  const { query, items } = usePagedQuery(
    "/api/v1/metric",
    { query: { name, service: service || null, limit: PAGE_POINTS } },
    (page) => page.series,
  );
  const { data: loaded, error, isPending, isPlaceholderData, isFetchingNextPage, hasNextPage, fetchNextPage, refetch } = query;
  const pages = loaded?.pages.length ?? 0;
  const wanted = hasNextPage && !isFetchingNextPage && !isPlaceholderData && error === null && pages < MAX_PAGES;
  useEffect(() => {
    if (wanted) void fetchNextPage();
  }, [wanted, pages, fetchNextPage]);
  const first = loaded?.pages[0];
  // What is still on its way is not missing.
  const cursor = wanted || isFetchingNextPage ? null : (loaded?.pages.at(-1)?.next_cursor ?? null);
  const data = useMemo(() => first && { ...first, series: joined(items), next_cursor: cursor }, [first, items, cursor]);
  return { data, error, isPending, refetch };
}

/** A series may go on in the next page. */
export function joined(series: readonly MetricSeries[]): MetricSeries[] {
  const whole: MetricSeries[] = [];
  let last = "";
  for (const one of series) {
    const identity = JSON.stringify({ ...one, points: null });
    const before = whole.at(-1);
    if (before && identity === last) whole[whole.length - 1] = { ...before, points: [...before.points, ...one.points] };
    else whole.push(one);
    last = identity;
  }
  return whole;
}
