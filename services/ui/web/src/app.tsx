/** The pages under their addresses. */

import { QueryClientProvider } from "@tanstack/react-query";
import type { ComponentType, ReactNode } from "react";
import { Suspense, lazy, useState } from "react";
import { I18nProvider } from "react-aria-components";
import { BrowserRouter, Navigate, Route, Routes, useLocation } from "react-router";
import { createQueryClient } from "./api/query-client";
import type { Locale } from "./i18n";
import { useAppliedLocale, useLocale } from "./i18n";
import { NotFoundPage } from "./pages/not-found";
import { PAGE_ENTRIES, paths } from "./pages/registry";
import { useAppliedTheme } from "./preferences/theme";
import { CrashBoundary } from "./shell/crash";
import { Layout } from "./shell/layout";
import { Splash } from "./shell/splash";
import { ToastLayer } from "./ui/toast";
import { changed, nameOfOldPath } from "./url/params";

const ROUTES: { path: string; bare: boolean; Page: ComponentType }[] = PAGE_ENTRIES.map(([, { path, bare = false, load }]) => ({
  path,
  bare,
  Page: lazy(load),
}));

/** Of the texts that react-aria brings: names of buttons, announcements, calendars. */
const LANGUAGE_TAGS: Record<Locale, string> = { en: "en-US", ko: "ko-KR" };

export function App(): ReactNode {
  const [queries] = useState(createQueryClient);
  useAppliedTheme();
  useAppliedLocale();
  const locale = useLocale();
  return (
    <CrashBoundary>
      <I18nProvider locale={LANGUAGE_TAGS[locale]}>
      <QueryClientProvider client={queries}>
        <BrowserRouter>
          <Suspense fallback={<Splash />}>
            <Routes>
              {ROUTES.filter(({ bare }) => bare).map(({ path, Page }) => (
                <Route key={path} path={path} element={<Page />} />
              ))}
              <Route element={<Layout />}>
                <Route index element={<Home />} />
                {ROUTES.filter(({ bare }) => !bare).map(({ path, Page }) => (
                  <Route key={path} path={path} element={<Page />} />
                ))}
                <Route path={`${paths.services}/*`} element={<OldServiceLink />} />
                <Route path="*" element={<NotFoundPage />} />
              </Route>
            </Routes>
          </Suspense>
        </BrowserRouter>
        <ToastLayer />
      </QueryClientProvider>
      </I18nProvider>
    </CrashBoundary>
  );
}

function Home(): ReactNode {
  const { search } = useLocation();
  return <Navigate to={paths.services + search} replace />;
}

/** Links of the first version had the name in the path. */
function OldServiceLink(): ReactNode {
  const { pathname, search } = useLocation();
  return <Navigate to={paths.service + changed(search, { name: nameOfOldPath(pathname, paths.services) })} replace />;
}
