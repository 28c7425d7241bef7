/**
 * Every page, once. Routes, sidebar, shortcuts, palette and titles follow from here; a page is added by an entry and its folder.
 *
 * What a page shows is named in the query (`/service?name=…`), never in the path: browsers, proxies and routers normalise paths, and
 * names of services and metrics may be "..", hold slashes or line breaks, or be empty. Trace ids are hex and stay in the path.
 */

import type { ComponentType } from "react";
import type { Locale } from "../i18n/locale";
import type { IconName } from "../ui/icon";

type Title = Readonly<Record<Locale, string>>;

export interface PageEntry {
  /** As react-router writes it. */
  readonly path: string;
  readonly title: Title;
  /** Each page is a chunk of its own. */
  readonly load: () => Promise<{ default: ComponentType }>;
  /** Pages without are reached from others. */
  readonly navigation?: {
    readonly group: NavigationGroup;
    readonly icon: IconName;
    /** A shortcut of two keys, "g s". */
    readonly keys: string;
  };
  /** Stands alone: no session is needed, and there is no sidebar. */
  readonly bare?: true;
}

export const NAVIGATION_GROUPS = {
  explore: { en: "Explore", ko: "탐색" },
} as const satisfies Record<string, Title>;
export type NavigationGroup = keyof typeof NAVIGATION_GROUPS;

export const PAGES = {
  services: {
    path: "/services",
    title: { en: "Services", ko: "서비스" },
    load: () => import("./services/page"),
    navigation: { group: "explore", icon: "services", keys: "g s" },
  },
  service: {
    path: "/service",
    title: { en: "Service", ko: "서비스" },
    load: () => import("./service/page"),
  },
  traces: {
    path: "/traces",
    title: { en: "Traces", ko: "트레이스" },
    load: () => import("./traces/page"),
    navigation: { group: "explore", icon: "traces", keys: "g t" },
  },
  trace: {
    path: "/traces/:traceId",
    title: { en: "Trace", ko: "트레이스" },
    load: () => import("./trace/page"),
  },
  logs: {
    path: "/logs",
    title: { en: "Logs", ko: "로그" },
    load: () => import("./logs/page"),
    navigation: { group: "explore", icon: "logs", keys: "g l" },
  },
  metrics: {
    // Not /metrics: there every service of ours answers Prometheus.
    path: "/metric-explorer",
    title: { en: "Metrics", ko: "메트릭" },
    load: () => import("./metrics/page"),
    navigation: { group: "explore", icon: "metrics", keys: "g m" },
  },
  signIn: {
    path: "/sign-in",
    title: { en: "Sign in", ko: "로그인" },
    load: () => import("./sign-in/page"),
    bare: true,
  },
} as const satisfies Record<string, PageEntry>;

export type PageId = keyof typeof PAGES;

export const PAGE_ENTRIES = Object.entries(PAGES) as [PageId, PageEntry][];

export interface NavigationEntry {
  id: PageId;
  path: string;
  title: Title;
  group: NavigationGroup;
  icon: IconName;
  keys: string;
}

/** Pages with a place in the sidebar, in its order. */
export const NAVIGATION: readonly NavigationEntry[] = PAGE_ENTRIES.flatMap(([id, { path, title, navigation }]) =>
  navigation ? [{ id, path, title, ...navigation }] : [],
);

/** Addresses. What a page shows is added as parameters by `useLinkTo`. */
export const paths = {
  services: PAGES.services.path,
  service: PAGES.service.path,
  traces: PAGES.traces.path,
  trace: (traceId: string) => `/traces/${encodeURIComponent(traceId)}`,
  logs: PAGES.logs.path,
  metrics: PAGES.metrics.path,
  signIn: PAGES.signIn.path,
} as const;

/** Parameters that narrow a page to one service, also to the one without a name. */
export function ofService(service: string): { service?: string; query?: string } {
  return service === "" ? { query: 'service=""' } : { service };
}
