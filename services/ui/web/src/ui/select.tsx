/** A choice from a list, with a search field once the list is long. */

import type { KeyboardEvent, ReactNode } from "react";
import { useId, useMemo, useState } from "react";
import { useMessages } from "../i18n";
import { Icon } from "./icon";
import { Popover, usePopover } from "./popover";

export interface Option {
  value: string;
  label: string;
  detail?: string;
  before?: ReactNode;
}

interface SelectProps {
  label: string;
  value: string;
  options: readonly Option[];
  onChange: (value: string) => void;
  /** Shown when the value is "" or no option. */
  placeholder: string;
  /** Adds a first row that chooses "". */
  clearable?: boolean;
  disabled?: boolean;
  className?: string;
}

const SEARCH_FROM = 8;
/** A list of thousands would be slow to open; who looks for more types. */
const MAX_SHOWN = 200;

export function Select(props: SelectProps): ReactNode {
  const { label, value, options, placeholder, className = "" } = props;
  const chosen = options.find((option) => option.value === value);
  const text = chosen?.label ?? (value || placeholder);
  return (
    <Popover
      className={`button select ${className}`}
      role="listbox"
      label={`${label}: ${text}`}
      popoverClassName="select-popover"
      disabled={props.disabled ?? false}
      button={
        <>
          {chosen?.before}
          <span className={`truncate ${value === "" ? "select-placeholder" : ""}`}>{text}</span>
          <Icon name="chevronDown" />
        </>
      }
    >
      <Options {...props} />
    </Popover>
  );
}

function Options({ label, value, options, onChange, placeholder, clearable = false }: SelectProps): ReactNode {
  const { close } = usePopover();
  const { common } = useMessages();
  const id = useId();
  const [search, setSearch] = useState("");
  const found = useMemo(() => {
    const wanted = search.toLowerCase();
    const matching = options.filter((option) => option.label.toLowerCase().includes(wanted));
    return (clearable && search === "" ? [{ value: "", label: placeholder }, ...matching] : matching).slice(0, MAX_SHOWN);
  }, [options, search, clearable, placeholder]);
  const [active, setActive] = useState(() => Math.max(0, found.findIndex((option) => option.value === value)));
  const choose = (option: Option | undefined): void => {
    if (!option) return;
    close();
    onChange(option.value);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const next = Math.max(0, Math.min(found.length - 1, active + step));
      setActive(next);
      document.getElementById(`${id}-${next}`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      event.preventDefault();
      choose(found[active]);
    }
  };
  const searchable = options.length >= SEARCH_FROM;
  return (
    <div className="select-list" onKeyDown={onKeyDown} tabIndex={searchable ? undefined : 0} data-autofocus={searchable ? undefined : ""}>
      {searchable && (
        <label className="select-search">
          <Icon name="search" />
          <input
            value={search}
            placeholder={common.search}
            aria-label={`${label}: ${common.search}`}
            role="combobox"
            aria-expanded
            aria-controls={id}
            aria-activedescendant={`${id}-${active}`}
            onChange={(event) => {
              setSearch(event.target.value);
              setActive(0);
            }}
          />
        </label>
      )}
      <div className="menu" id={id} role="listbox" aria-label={label}>
        {found.map((option, index) => (
          <div
            key={option.value}
            id={`${id}-${index}`}
            role="option"
            aria-selected={option.value === value}
            data-active={index === active}
            className="menu-item"
            onPointerMove={() => setActive(index)}
            onClick={() => choose(option)}
          >
            {option.before}
            <span className={`truncate ${option.value === "" ? "muted" : ""}`}>{option.label}</span>
            {(option.detail ?? option.value === value) && (
              <span className="menu-end">{option.detail ?? <Icon name="check" />}</span>
            )}
          </div>
        ))}
        {found.length === 0 && <p className="menu-heading">{common.noMatch}</p>}
      </div>
    </div>
  );
}
