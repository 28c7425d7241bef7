/** The pages. Each is a chunk of its own, so that the first one does not wait for the rest. */

import { QueryClientProvider } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Suspense, lazy, useState } from "react";
import { BrowserRouter, Navigate, Route, Routes, useLocation } from "react-router";
import { createQueryClient } from "./api/query-client";
import { useAppliedLocale } from "./i18n";
import { NotFoundPage } from "./pages/not-found";
import { useAppliedTheme } from "./preferences/theme";
import { paths } from "./routes";
import { CrashBoundary } from "./shell/crash";
import { Layout } from "./shell/layout";
import { Splash } from "./shell/splash";
import { ToastLayer } from "./ui/toast";
import { TooltipLayer } from "./ui/tooltip";

const SignInPage = lazy(() => import("./pages/sign-in/page"));
const ServicesPage = lazy(() => import("./pages/services/page"));
const ServicePage = lazy(() => import("./pages/service/page"));
const TracesPage = lazy(() => import("./pages/traces/page"));
const TracePage = lazy(() => import("./pages/trace/page"));
const LogsPage = lazy(() => import("./pages/logs/page"));
const MetricsPage = lazy(() => import("./pages/metrics/page"));

export function App(): ReactNode {
  const [queries] = useState(createQueryClient);
  useAppliedTheme();
  useAppliedLocale();
  return (
    <CrashBoundary>
      <QueryClientProvider client={queries}>
        <BrowserRouter>
          <Suspense fallback={<Splash />}>
            <Routes>
              <Route path={paths.signIn} element={<SignInPage />} />
              <Route element={<Layout />}>
                <Route index element={<Home />} />
                <Route path={paths.services} element={<ServicesPage />} />
                <Route path={`${paths.services}/:service`} element={<ServicePage />} />
                <Route path={paths.traces} element={<TracesPage />} />
                <Route path={`${paths.traces}/:traceId`} element={<TracePage />} />
                <Route path={paths.logs} element={<LogsPage />} />
                <Route path={paths.metrics} element={<MetricsPage />} />
                <Route path="*" element={<NotFoundPage />} />
              </Route>
            </Routes>
          </Suspense>
        </BrowserRouter>
        <ToastLayer />
        <TooltipLayer />
      </QueryClientProvider>
    </CrashBoundary>
  );
}

function Home(): ReactNode {
  const { search } = useLocation();
  return <Navigate to={paths.services + search} replace />;
}
