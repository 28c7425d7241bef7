/** A button and what it opens. */

import type { ReactNode, RefObject } from "react";
import { Button, Dialog, DialogTrigger, Popover as Floating } from "react-aria-components";

interface PopoverProps {
  /** Content of the button. */
  button: ReactNode;
  /** Names the button where its content is no text, and what opens. */
  label: string;
  /** The button's content names it; otherwise `label` does. */
  named?: boolean;
  className?: string;
  placement?: "bottom start" | "bottom end" | "top start";
  popoverClassName?: string;
  buttonRef?: RefObject<HTMLButtonElement | null>;
  children: ReactNode | ((close: () => void) => ReactNode);
}

export function Popover(props: PopoverProps): ReactNode {
  const { button, label, named = false, className = "button", placement = "bottom start", popoverClassName = "", children } = props;
  return (
    <DialogTrigger>
      <Button {...(props.buttonRef && { ref: props.buttonRef })} className={className} {...(!named && { "aria-label": label })}>
        {button}
      </Button>
      <Floating className={`popover ${popoverClassName}`} placement={placement} offset={4}>
        <Dialog className="popover-dialog" aria-label={label}>
          {({ close }) => (typeof children === "function" ? children(close) : children)}
        </Dialog>
      </Floating>
    </DialogTrigger>
  );
}
