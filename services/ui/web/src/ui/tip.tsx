/** A tooltip for a control: on hover after a moment, on keyboard focus at once. */

import type { ReactElement, ReactNode } from "react";
import { Focusable, Tooltip, TooltipTrigger } from "react-aria-components";
import type { FocusableElement } from "@react-types/shared";
import type { DOMAttributes } from "react";

const DELAY_MS = 350;

interface TipProps {
  text: string;
  /** The shortcut that does the same. */
  keys?: string | undefined;
  side?: "top" | "right";
  /** Present, but silent: the control stays the same element. */
  off?: boolean;
  children: ReactElement<DOMAttributes<FocusableElement>, string>;
}

export function Tip({ text, keys, side = "top", off = false, children }: TipProps): ReactNode {
  return (
    <TooltipTrigger delay={DELAY_MS} closeDelay={0} isDisabled={off}>
      <Focusable>{children}</Focusable>
      <Tooltip className="tooltip" placement={side} offset={6}>
        {text}
        {keys !== undefined && <kbd className="kbd">{keys}</kbd>}
      </Tooltip>
    </TooltipTrigger>
  );
}
