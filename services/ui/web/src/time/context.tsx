/** The time range of the page: read from the URL, resolved against "now", which moves on refresh only. */

import { useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { createContext, use, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useLocation } from "react-router";
import { parseDuration } from "../format/duration";
import { setPreference, usePreference } from "../preferences/store";
import { useParam, useSetParams } from "../url/params";
import type { Interval, TimeRange } from "./range";
import { DEFAULT_RANGE, absolute, apiTimes, isRelative, resolve, resolveBound } from "./range";
import type { Zone } from "./zone";
import { isZone } from "./zone";

export interface Time {
  range: TimeRange;
  /** What the range covers as of the last refresh. */
  interval: Interval;
  /** The interval as the API takes it. */
  api: { from: string; to: string };
  zone: Zone;
  /** "" when off, otherwise as in the URL ("10s"). */
  refreshEvery: string;
  setRange: (range: TimeRange) => void;
  /** For charts: unix milliseconds that were dragged over. */
  zoom: (fromMs: number, toMs: number) => void;
  setZone: (zone: Zone) => void;
  setRefreshEvery: (every: string) => void;
  refresh: () => void;
}

const TimeContext = createContext<Time | null>(null);

/** A relative range that was resolved longer ago than this is resolved again on the way to another page. */
const STALE_MS = 30_000;
/** The shortest zoom: below it the store has nothing finer to show. */
const MIN_ZOOM_MS = 10;

export function useTime(): Time {
  const time = use(TimeContext);
  if (!time) throw new Error("useTime outside of TimeProvider");
  return time;
}

export function TimeProvider({ children }: { children: ReactNode }): ReactNode {
  const setParams = useSetParams();
  const range = useRange();
  const { now, resolveAgain, refresh } = useNow(range);
  const storedZone = usePreference("zone", "local");
  const urlZone = useParam("tz");
  const zone = isZone(urlZone) && urlZone !== "" ? urlZone : storedZone;
  const refreshEvery = useParam("refresh");
  useAutoRefresh(refreshEvery, refresh);

  const setRange = useCallback(
    (next: TimeRange) => {
      resolveAgain();
      setParams({ from: next.from, to: next.to });
    },
    [resolveAgain, setParams],
  );
  const zoom = useCallback(
    (fromMs: number, toMs: number) => {
      if (toMs - fromMs >= MIN_ZOOM_MS) setRange(absolute(fromMs, toMs));
    },
    [setRange],
  );
  const setZone = useCallback(
    (next: Zone) => {
      setPreference("zone", next);
      setParams({ tz: next === "local" ? null : next }, { replace: true });
    },
    [setParams],
  );
  const setRefreshEvery = useCallback(
    (every: string) => setParams({ refresh: every === "" ? null : every }, { replace: true }),
    [setParams],
  );
  const interval = useMemo(() => resolve(range, now), [range, now]);
  const api = useMemo(() => apiTimes(interval), [interval]);
  const value = useMemo(
    () => ({ range, interval, api, zone, refreshEvery, setRange, zoom, setZone, setRefreshEvery, refresh }),
    [range, interval, api, zone, refreshEvery, setRange, zoom, setZone, setRefreshEvery, refresh],
  );
  return <TimeContext value={value}>{children}</TimeContext>;
}

function useRange(): TimeRange {
  const from = useParam("from");
  const to = useParam("to");
  return useMemo(() => {
    const known = resolveBound(from, 0) !== null && resolveBound(to || "now", 0) !== null;
    return known ? { from, to: to || "now" } : DEFAULT_RANGE;
  }, [from, to]);
}

function useNow(range: TimeRange): { now: number; resolveAgain: () => void; refresh: () => void } {
  const queries = useQueryClient();
  const [now, setNow] = useState(() => Date.now());
  const resolvedAt = useRef(now);
  const resolveAgain = useCallback(() => {
    resolvedAt.current = Date.now();
    setNow(resolvedAt.current);
  }, []);
  const refresh = useCallback(() => {
    resolveAgain();
    // An absolute range keeps its key, and may still have received late records.
    void queries.invalidateQueries();
  }, [queries, resolveAgain]);
  const { pathname } = useLocation();
  const relative = isRelative(range);
  useEffect(() => {
    if (relative && Date.now() - resolvedAt.current > STALE_MS) resolveAgain();
  }, [pathname, relative, resolveAgain]);
  return { now, resolveAgain, refresh };
}

function useAutoRefresh(every: string, refresh: () => void): void {
  useEffect(() => {
    const ms = (parseDuration(every) ?? 0) / 1e6;
    if (ms < 1000) return undefined;
    const timer = setInterval(() => {
      // Nobody is watching a hidden tab, and the store has better things to do.
      if (document.visibilityState === "visible") refresh();
    }, ms);
    return () => clearInterval(timer);
  }, [every, refresh]);
}
