/** Little parts that many pages share. */

import type { CSSProperties, ReactNode } from "react";
import { useMessages } from "../i18n";
import type { IconName } from "./icon";
import { Icon } from "./icon";
import { copyText } from "./toast";

export function Kbd({ children }: { children: ReactNode }): ReactNode {
  return <kbd className="kbd">{children}</kbd>;
}

export function CopyButton({ text, label }: { text: string; label?: string }): ReactNode {
  const { common } = useMessages();
  return (
    <button
      type="button"
      className="button button-quiet button-icon button-small"
      aria-label={label ?? common.copy}
      data-tip={label ?? common.copy}
      onClick={(event) => {
        event.stopPropagation();
        void copyText(text, common.copied);
      }}
    >
      <Icon name="copy" />
    </button>
  );
}

export interface Choice<T extends string> {
  value: T;
  label: string;
  icon?: IconName;
}

/** A few choices of which one holds. */
export function Segmented<T extends string>(props: {
  label: string;
  value: T;
  choices: readonly Choice<T>[];
  onChange: (value: T) => void;
}): ReactNode {
  const { label, value, choices, onChange } = props;
  return (
    <div
      className="segmented"
      role="radiogroup"
      aria-label={label}
      onKeyDown={(event) => {
        const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
        const at = choices.findIndex((choice) => choice.value === value);
        const next = choices[(at + step + choices.length) % choices.length];
        if (step === 0 || !next) return;
        event.preventDefault();
        onChange(next.value);
        (event.currentTarget.children[choices.indexOf(next)] as HTMLElement).focus();
      }}
    >
      {choices.map((choice) => (
        <button
          key={choice.value}
          type="button"
          role="radio"
          aria-checked={choice.value === value}
          tabIndex={choice.value === value ? 0 : -1}
          onClick={() => onChange(choice.value)}
        >
          {choice.label}
        </button>
      ))}
    </div>
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
