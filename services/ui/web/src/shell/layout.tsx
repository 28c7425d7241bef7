/** The frame around every page, and the keys that work everywhere. */

import type { ReactNode } from "react";
import { Suspense, useRef, useState } from "react";
import { Outlet, useLocation, useNavigate } from "react-router";
import { useMessages } from "../i18n";
import { setPreference } from "../preferences/store";
import { useTheme } from "../preferences/theme";
import { NAVIGATION } from "../pages/registry";
import { TimeProvider, useTime } from "../time/context";
import { useLinkTo } from "../url/params";
import { useShortcuts } from "../ui/shortcuts";
import { SkeletonRows } from "../ui/states";
import { CrashBoundary } from "./crash";
import { Palette } from "./palette";
import { SessionGate } from "./session";
import { ShortcutSheet } from "./shortcut-sheet";
import { Sidebar } from "./sidebar";
import { TitleProvider, TopBar } from "./top-bar";

export function Layout(): ReactNode {
  return (
    <SessionGate>
      <TimeProvider>
        <TitleProvider>
          <Frame />
        </TitleProvider>
      </TimeProvider>
    </SessionGate>
  );
}

function Frame(): ReactNode {
  const messages = useMessages();
  const [open, setOpen] = useState<"palette" | "help" | null>(null);
  const timeButton = useRef<HTMLButtonElement>(null);
  const { pathname, search } = useLocation();
  const navigate = useNavigate();
  const linkTo = useLinkTo();
  const { refresh } = useTime();
  const theme = useTheme();
  useShortcuts({
    "mod+k": () => setOpen((current) => (current === "palette" ? null : "palette")),
    "/": () => document.querySelector<HTMLElement>("[data-search]")?.focus(),
    "?": () => setOpen("help"),
    d: () => timeButton.current?.click(),
    r: refresh,
    t: () => setPreference("theme", theme === "dark" ? "light" : "dark"),
    ...Object.fromEntries(NAVIGATION.map(({ keys, path }) => [keys, () => void navigate(linkTo(path))])),
  });
  return (
    <div className="frame">
      <a className="skip-link" href="#main">
        {messages.nav.skip}
      </a>
      <Sidebar />
      <TopBar timeButton={timeButton} onPalette={() => setOpen("palette")} onHelp={() => setOpen("help")} />
      <main id="main" className="main" tabIndex={-1}>
        <CrashBoundary key={pathname} place={search}>
          <Suspense fallback={<SkeletonRows />}>
            <Outlet />
          </Suspense>
        </CrashBoundary>
      </main>
      {open === "palette" && <Palette onClose={() => setOpen(null)} />}
      {open === "help" && <ShortcutSheet onClose={() => setOpen(null)} />}
    </div>
  );
}
