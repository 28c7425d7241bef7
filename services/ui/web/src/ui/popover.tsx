/** A button and what it opens. The browser's own popover gives the top layer, light dismiss and Escape. */

import type { ReactNode, RefObject } from "react";
import { createContext, use, useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Placement } from "./floating";
import { place } from "./floating";

interface PopoverHandle {
  close: () => void;
}

const PopoverContext = createContext<PopoverHandle>({ close: () => undefined });

export function usePopover(): PopoverHandle {
  return use(PopoverContext);
}

export interface PopoverProps {
  /** Content of the button. */
  button: ReactNode;
  className?: string;
  /** For screen readers and the tooltip, when the button's content is no text. */
  label?: string;
  title?: string;
  placement?: Placement;
  popoverClassName?: string;
  role?: "dialog" | "menu" | "listbox";
  buttonRef?: RefObject<HTMLButtonElement | null>;
  disabled?: boolean;
  children: ReactNode;
}

export function Popover(props: PopoverProps): ReactNode {
  const { button, className = "button", label, title, placement = "bottom-start", popoverClassName = "", role = "dialog" } = props;
  const id = useId();
  const ownButton = useRef<HTMLButtonElement>(null);
  const buttonRef = props.buttonRef ?? ownButton;
  const panel = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);
  const close = useCallback(() => {
    setOpen(false);
    buttonRef.current?.focus();
  }, [buttonRef]);
  const handle = useMemo(() => ({ close }), [close]);
  usePlacement(open, buttonRef, panel, placement);

  useEffect(() => {
    const element = panel.current;
    if (!open || !element) return undefined;
    const onToggle = (event: ToggleEvent): void => {
      if (event.newState === "closed") setOpen(false);
    };
    element.addEventListener("toggle", onToggle);
    return () => element.removeEventListener("toggle", onToggle);
  }, [open]);

  return (
    <>
      <button
        ref={buttonRef}
        type="button"
        className={className}
        aria-haspopup={role}
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        aria-label={label}
        title={title}
        disabled={props.disabled}
        // The popover's light dismiss closes it at pointerdown; without this the click would open it again.
        onPointerDown={(event) => {
          event.currentTarget.dataset.wasOpen = String(open);
        }}
        onClick={(event) => {
          const wasOpen = event.detail > 0 ? event.currentTarget.dataset.wasOpen === "true" : open;
          setOpen(!wasOpen);
        }}
      >
        {button}
      </button>
      {open && (
        <div ref={panel} id={id} popover="auto" role={role} aria-label={label} className={`popover ${popoverClassName}`}>
          <PopoverContext value={handle}>{props.children}</PopoverContext>
        </div>
      )}
    </>
  );
}

function usePlacement(
  open: boolean,
  anchor: RefObject<HTMLElement | null>,
  panel: RefObject<HTMLElement | null>,
  placement: Placement,
): void {
  useLayoutEffect(() => {
    const element = panel.current;
    if (!open || !element || !anchor.current) return undefined;
    element.showPopover();
    const update = (): void => {
      if (anchor.current) place(element, anchor.current.getBoundingClientRect(), placement);
    };
    update();
    const first = element.querySelector<HTMLElement>("[data-autofocus], input, [role=option][aria-selected=true], button, [tabindex='0']");
    first?.focus({ preventScroll: true });
    const observer = new ResizeObserver(update);
    observer.observe(element);
    window.addEventListener("resize", update);
    return () => {
      observer.disconnect();
      window.removeEventListener("resize", update);
    };
  }, [open, anchor, panel, placement]);
}
