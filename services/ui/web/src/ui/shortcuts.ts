/** Keyboard shortcuts. The component that registered last hears a key first. */

import { useEffect, useRef } from "react";

/** Keys as `KeyboardEvent.key`, "mod+k" for ⌘K or Ctrl-K, "g s" for one after the other. */
export type Shortcuts = Record<string, (event: KeyboardEvent) => void>;

const stack: { current: Shortcuts }[] = [];
const SEQUENCE_MS = 900;
let pending: { key: string; at: number } | null = null;

export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

function onKeyDown(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || event.altKey) return;
  const mod = event.metaKey || event.ctrlKey;
  const key = mod ? `mod+${event.key.toLowerCase()}` : event.key;
  // A field keeps its keys; so does an open dialog or popover, which knows Escape itself.
  if (!mod && (isTyping(event.target) || document.querySelector(".overlay, .popover"))) return;
  const sequence = pending && event.timeStamp - pending.at < SEQUENCE_MS ? `${pending.key} ${key}` : null;
  pending = null;
  if (sequence !== null && run(sequence, event)) return;
  if (run(key, event)) return;
  if (!mod && startsSequence(key)) pending = { key, at: event.timeStamp };
}

function run(key: string, event: KeyboardEvent): boolean {
  for (const { current } of stack.toReversed()) {
    const handler = current[key];
    if (!handler) continue;
    event.preventDefault();
    handler(event);
    return true;
  }
  return false;
}

function startsSequence(key: string): boolean {
  return stack.some(({ current }) => Object.keys(current).some((name) => name.startsWith(`${key} `)));
}

export function useShortcuts(shortcuts: Shortcuts): void {
  const latest = useRef(shortcuts);
  useEffect(() => {
    latest.current = shortcuts;
  });
  useEffect(() => {
    if (stack.length === 0) window.addEventListener("keydown", onKeyDown);
    stack.push(latest);
    return () => {
      stack.splice(stack.indexOf(latest), 1);
      if (stack.length === 0) window.removeEventListener("keydown", onKeyDown);
    };
  }, []);
}

export const MOD = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘" : "Ctrl";
