import type { ButtonHTMLAttributes, ReactNode, Ref } from "react";
import type { IconName } from "./icon";
import { Icon } from "./icon";
import { Tip } from "./tip";

interface IconButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "type" | "children"> {
  icon: IconName;
  /** Its name, which is also its tooltip. */
  label: string;
  keys?: string;
  side?: "top" | "right";
  ref?: Ref<HTMLButtonElement>;
}

/** A button whose only content is a picture. */
export function IconButton({ icon, label, keys, side = "top", className = "", ...rest }: IconButtonProps): ReactNode {
  return (
    <Tip text={label} keys={keys} side={side}>
      <button type="button" className={`button button-icon ${className}`} aria-label={label} {...rest}>
        <Icon name={icon} />
      </button>
    </Tip>
  );
}
