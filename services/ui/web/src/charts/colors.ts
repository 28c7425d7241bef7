/** Colours of the style sheet for canvases, which do not understand custom properties. */

import { useMemo } from "react";
import type { Theme } from "../preferences/theme";
import { useTheme } from "../preferences/theme";

export type ColorOf = (name: string) => string;

/** Resolves `--name` for the theme shown; a new function when the theme changes, so that charts draw again. */
export function useColors(): { theme: Theme; color: ColorOf } {
  const theme = useTheme();
  return useMemo(() => ({ theme, color: resolver(theme) }), [theme]);
}

function resolver(theme: Theme): ColorOf {
  const known = new Map<string, string>();
  return (name) => {
    const found = known.get(name);
    if (found !== undefined) return found;
    // `light-dark()` in a custom property resolves only where it is used as a colour.
    const probe = document.createElement("span");
    probe.style.colorScheme = theme;
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    known.set(name, value);
    return value;
  };
}

/** `color` with this opacity; `color` as getComputedStyle gives it. */
export function withAlpha(color: string, alpha: number): string {
  const numbers = /^rgba?\(([^)]+)\)$/.exec(color)?.[1]?.split(/[\s,/]+/).slice(0, 3);
  return numbers ? `rgba(${numbers.join(", ")}, ${alpha})` : color;
}

/** Steps between colours given as getComputedStyle gives them; `at` in 0..1. */
export function mixed(stops: readonly string[], at: number): string {
  const position = Math.max(0, Math.min(1, at)) * (stops.length - 1);
  const index = Math.min(stops.length - 2, Math.floor(position));
  const [from, to] = [channels(stops[index] ?? ""), channels(stops[index + 1] ?? stops[index] ?? "")];
  return `rgb(${from.map((channel, i) => Math.round(channel + ((to[i] ?? channel) - channel) * (position - index))).join(", ")})`;
}

function channels(color: string): number[] {
  return (/\(([^)]+)\)/.exec(color)?.[1] ?? "0 0 0").split(/[\s,/]+/).slice(0, 3).map(Number);
}
