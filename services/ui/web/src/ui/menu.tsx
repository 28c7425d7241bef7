/** Rows of a popover that do something. Arrow keys move between them. */

import type { KeyboardEvent, ReactNode } from "react";
import type { IconName } from "./icon";
import { Icon } from "./icon";
import { usePopover } from "./popover";

export function Menu({ children, className = "" }: { children: ReactNode; className?: string }): ReactNode {
  return (
    <div className={`menu ${className}`} onKeyDown={moveFocus}>
      {children}
    </div>
  );
}

interface MenuItemProps {
  onSelect: () => void;
  children: ReactNode;
  icon?: IconName;
  end?: ReactNode;
  /** Given for choices; left out for actions. */
  checked?: boolean;
  keepOpen?: boolean;
}

export function MenuItem({ onSelect, children, icon, end, checked, keepOpen = false }: MenuItemProps): ReactNode {
  const { close } = usePopover();
  return (
    <button
      type="button"
      className="menu-item"
      role={checked === undefined ? "menuitem" : "menuitemradio"}
      aria-checked={checked}
      onClick={() => {
        if (!keepOpen) close();
        onSelect();
      }}
    >
      {icon && <Icon name={icon} />}
      <span className="truncate">{children}</span>
      {(end !== undefined || checked) && <span className="menu-end">{checked ? <Icon name="check" /> : end}</span>}
    </button>
  );
}

export function moveFocus(event: KeyboardEvent<HTMLElement>): void {
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (step === 0) return;
  const items = [...event.currentTarget.querySelectorAll<HTMLElement>(".menu-item:not(:disabled)")];
  if (items.length === 0) return;
  event.preventDefault();
  const at = items.findIndex((item) => item === document.activeElement);
  items[(at + step + items.length) % items.length]?.focus();
}
