/** One tooltip for the page: any element with `data-tip` has one, on hover after a moment and on keyboard focus at once. */

import type { ReactNode } from "react";
import { useEffect, useRef } from "react";
import { place } from "./floating";

const DELAY_MS = 350;

export function TooltipLayer(): ReactNode {
  const tip = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = tip.current;
    return element ? attach(element) : undefined;
  }, []);
  return <div ref={tip} popover="manual" role="tooltip" className="tooltip" />;
}

function attach(tip: HTMLElement): () => void {
  let timer = 0;
  let current: HTMLElement | null = null;

  const hide = (): void => {
    clearTimeout(timer);
    current = null;
    if (tip.matches(":popover-open")) tip.hidePopover();
  };
  const show = (target: HTMLElement): void => {
    const text = target.dataset.tip ?? "";
    if (text === "" || !target.isConnected) return;
    fill(tip, text, target.dataset.tipKey);
    // Shown again rather than moved: a popover or dialog may have come on top meanwhile.
    if (tip.matches(":popover-open")) tip.hidePopover();
    tip.showPopover();
    place(tip, target.getBoundingClientRect(), target.dataset.tipSide === "right" ? "right" : "top", 6);
  };
  const onOver = (event: Event): void => {
    const target = (event.target as Element).closest<HTMLElement>("[data-tip]");
    if (target === current) return;
    hide();
    if (!target) return;
    current = target;
    timer = window.setTimeout(() => show(target), DELAY_MS);
  };
  const onFocus = (event: Event): void => {
    const target = (event.target as Element).closest<HTMLElement>("[data-tip]");
    if (target?.matches(":focus-visible")) {
      hide();
      current = target;
      show(target);
    }
  };
  const listeners: [string, (event: Event) => void][] = [
    ["pointerover", onOver],
    ["pointerdown", hide],
    ["focusin", onFocus],
    ["focusout", hide],
    ["keydown", hide],
    ["wheel", hide],
  ];
  for (const [name, listener] of listeners) document.addEventListener(name, listener, { passive: true });
  return () => {
    hide();
    for (const [name, listener] of listeners) document.removeEventListener(name, listener);
  };
}

function fill(tip: HTMLElement, text: string, key: string | undefined): void {
  tip.textContent = text;
  if (!key) return;
  const kbd = document.createElement("kbd");
  kbd.className = "kbd";
  kbd.textContent = key;
  tip.append(kbd);
}
