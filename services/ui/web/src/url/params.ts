/** The URL is the only home of what a page shows. These hooks read and write it. */

import { useCallback, useMemo } from "react";
import { useLocation, useNavigate } from "react-router";

/** Null or "" removes the parameter. */
export type Changes = Record<string, string | null>;

/** Parameters that every page understands and every link inside the product keeps. */
export const SHARED_PARAMS = ["from", "to", "tz", "refresh"] as const;

export function changed(search: string, changes: Changes): string {
  const params = new URLSearchParams(search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") params.delete(name);
    else params.set(name, value);
  }
  const text = params.toString();
  return text ? `?${text}` : "";
}

/** The shared parameters of `search` and `own` ones besides. */
export function linkSearch(search: string, own: Changes = {}): string {
  const current = new URLSearchParams(search);
  const kept = new URLSearchParams();
  for (const name of SHARED_PARAMS) {
    const value = current.get(name);
    if (value) kept.set(name, value);
  }
  return changed(kept.toString(), own);
}

/** The name in a path that begins with `prefix`, as the first version wrote it: percent-encoded, slashes perhaps not. */
export function nameOfOldPath(pathname: string, prefix: string): string {
  const encoded = pathname.slice(prefix.length + 1);
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}

/** Only a path of our own: anything else in `return` would let a crafted link send people elsewhere after sign-in. */
export function safeReturn(text: string | null): string {
  // Browsers drop tabs and line breaks from addresses, which would turn "/<tab>/host" into "//host".
  return text && /^\/(?![/\\])[^\p{Cc}]*$/u.test(text) && !text.startsWith("/sign-in") ? text : "/";
}

export function useParam(name: string): string {
  const { search } = useLocation();
  return useMemo(() => new URLSearchParams(search).get(name) ?? "", [search, name]);
}

/** Writes several at once. `replace` for what is not worth a step back, such as a selected row. */
export function useSetParams(): (changes: Changes, options?: { replace?: boolean }) => void {
  const navigate = useNavigate();
  return useCallback(
    (changes, { replace = false } = {}) => {
      // Read when called, so that two changes in one turn do not undo each other.
      const { pathname, search } = window.location;
      const next = changed(search, changes);
      if (next !== search) void navigate(pathname + next, { replace });
    },
    [navigate],
  );
}

/** Makes links inside the product: path, then parameters of its own. */
export function useLinkTo(): (path: string, own?: Changes) => string {
  const { search } = useLocation();
  return useCallback((path, own) => path + linkSearch(search, own), [search]);
}
