/** Light or dark: the system's, unless chosen here. Charts are drawn on canvases and have to hear of a change. */

import { useEffect, useSyncExternalStore } from "react";
import { setPreference, usePreference } from "./store";

export type ThemeChoice = "system" | "light" | "dark";
export type Theme = "light" | "dark";

const DARK = "(prefers-color-scheme: dark)";

function subscribe(listener: () => void): () => void {
  const query = matchMedia(DARK);
  query.addEventListener("change", listener);
  return () => query.removeEventListener("change", listener);
}

export function useThemeChoice(): [ThemeChoice, (choice: ThemeChoice) => void] {
  const choice = usePreference("theme", "system");
  return [choice, (next) => setPreference("theme", next)];
}

/** What is shown right now. */
export function useTheme(): Theme {
  const choice = usePreference("theme", "system");
  const systemDark = useSyncExternalStore(subscribe, () => matchMedia(DARK).matches);
  return choice === "system" ? (systemDark ? "dark" : "light") : choice;
}

/** Puts the choice on the document, where the style sheet reads it. Used once. */
export function useAppliedTheme(): void {
  const choice = usePreference("theme", "system");
  useEffect(() => {
    if (choice === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
  }, [choice]);
}
