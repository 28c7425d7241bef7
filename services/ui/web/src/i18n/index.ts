/** The language of the page. Switching re-renders; nothing is loaded and nothing reloads. */

import { useEffect } from "react";
import { setPreference, usePreference } from "../preferences/store";
import type { Messages } from "./en";
import { en } from "./en";
import { ko } from "./ko";
import type { Locale } from "./locale";

export type { Locale } from "./locale";
export type { Messages } from "./en";

const DICTIONARIES: Record<Locale, Messages> = { en, ko };
export const LOCALE_NAMES: Record<Locale, string> = { en: "English", ko: "한국어" };

const browserLocale: Locale = /^ko\b/i.test(navigator.language) ? "ko" : "en";

export function useLocale(): Locale {
  return usePreference("locale", browserLocale);
}

export function setLocale(locale: Locale): void {
  setPreference("locale", locale);
}

export function useMessages(): Messages {
  return DICTIONARIES[useLocale()];
}

/** Puts the language on the document, for fonts, hyphenation and screen readers. Used once. */
export function useAppliedLocale(): void {
  const locale = useLocale();
  useEffect(() => {
    document.documentElement.lang = locale;
  }, [locale]);
}
