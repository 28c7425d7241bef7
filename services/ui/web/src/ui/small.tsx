/** Little parts that many pages share. */

import type { CSSProperties, ReactNode } from "react";
import { useMessages } from "../i18n";
import { IconButton } from "./button";
import { Icon } from "./icon";
import { copyText } from "./toast";

export function Kbd({ children }: { children: ReactNode }): ReactNode {
  return <kbd className="kbd">{children}</kbd>;
}

export function CopyButton({ text, label }: { text: string; label?: string }): ReactNode {
  const { common } = useMessages();
  return (
    <IconButton
      icon="copy"
      label={label ?? common.copy}
      className="button-quiet button-small"
      onClick={(event) => {
        event.stopPropagation();
        void copyText(text, common.copied);
      }}
    />
  );
}

/** A custom property for the style sheet to read; React's types know only standard ones. */
export function cssVars(vars: Record<`--${string}`, string | number>): CSSProperties {
  return vars;
}

export function FilterField(props: {
  value: string;
  onChange: (text: string) => void;
  label: string;
  shortcut?: boolean;
  className?: string;
}): ReactNode {
  const { common } = useMessages();
  return (
    <label className={`field ${props.className ?? ""}`}>
      <Icon name="search" />
      <input
        type="search"
        value={props.value}
        placeholder={props.label}
        aria-label={props.label}
        data-search={props.shortcut ? "" : undefined}
        onChange={(event) => props.onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          if (props.value) props.onChange("");
          else event.currentTarget.blur();
        }}
      />
      {props.value !== "" && (
        <button type="button" aria-label={common.clear} className="field-clear" onClick={() => props.onChange("")}>
          <Icon name="close" />
        </button>
      )}
    </label>
  );
}
