/** Where a popover goes: beside its anchor, inside the window. */

export type Placement = "bottom-start" | "bottom-end" | "top" | "right";

export function place(element: HTMLElement, anchor: DOMRect, placement: Placement, gap = 4): void {
  const margin = 8;
  const { offsetWidth: width, offsetHeight: height } = element;
  let left = placement === "bottom-end" ? anchor.right - width : anchor.left;
  let top = anchor.bottom + gap;
  if (placement === "top") {
    left = anchor.left + anchor.width / 2 - width / 2;
    top = anchor.top - height - gap;
    if (top < margin) top = anchor.bottom + gap;
  } else if (placement === "right") {
    left = anchor.right + gap;
    top = anchor.top + anchor.height / 2 - height / 2;
  } else if (top + height > window.innerHeight - margin && anchor.top - gap - height > margin) {
    top = anchor.top - gap - height;
  }
  element.style.left = `${Math.max(margin, Math.min(left, window.innerWidth - width - margin))}px`;
  element.style.top = `${Math.max(margin, Math.min(top, window.innerHeight - height - margin))}px`;
}
