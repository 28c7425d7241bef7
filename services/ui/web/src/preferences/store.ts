/** What this browser remembers: theme, language, zone, layout. Everything else lives in the URL. */

import { useSyncExternalStore } from "react";

export interface Preferences {
  theme: "system" | "light" | "dark";
  locale: "en" | "ko";
  zone: string;
  sidebar: "open" | "closed";
}

type Listener = () => void;
const listeners = new Set<Listener>();
// Reads come at every render; storage is slower and may be refused altogether.
const memory = new Map<string, string>();

function read<K extends keyof Preferences>(key: K, fallback: Preferences[K]): Preferences[K] {
  const known = memory.get(key);
  if (known !== undefined) return known as Preferences[K];
  let stored: string | null = null;
  try {
    stored = localStorage.getItem(`airis.${key}`);
  } catch {
    // Storage is off: the choice lasts as long as the page.
  }
  const value = (stored ?? fallback) as Preferences[K];
  memory.set(key, value);
  return value;
}

export function setPreference<K extends keyof Preferences>(key: K, value: Preferences[K]): void {
  memory.set(key, value);
  try {
    localStorage.setItem(`airis.${key}`, value);
  } catch {
    // As above.
  }
  for (const listener of listeners) listener();
}

function subscribe(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function usePreference<K extends keyof Preferences>(key: K, fallback: Preferences[K]): Preferences[K] {
  return useSyncExternalStore(subscribe, () => read(key, fallback));
}
