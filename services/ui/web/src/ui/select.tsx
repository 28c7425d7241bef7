/** A choice from a list, with a search field once the list is long. */

import type { ReactNode } from "react";
import { useMemo, useState } from "react";
import {
  Autocomplete, Button, Input, ListBox, ListBoxItem, Popover, TextField, Select as AriaSelect, SelectValue,
} from "react-aria-components";
import { useMessages } from "../i18n";
import { keyOf, valueOf } from "./choice";
import { Icon } from "./icon";

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
  const { label, value, options, placeholder, onChange, clearable = false, disabled = false, className = "" } = props;
  const { common } = useMessages();
  const [search, setSearch] = useState("");
  const chosen = options.find((option) => option.value === value);
  const text = chosen?.label ?? (value || placeholder);
  const shown = useMemo(() => found(options, search, clearable ? placeholder : null), [options, search, clearable, placeholder]);
  const searchable = options.length >= SEARCH_FROM;
  const list = (
    <ListBox className="menu select-list" items={shown} aria-label={label} renderEmptyState={() => <p className="menu-heading">{common.noMatch}</p>}>
      {(option) => (
        <ListBoxItem id={keyOf(option.value)} textValue={option.label} className="menu-item">
          {({ isSelected }) => (
            <>
              {option.before}
              <span className={`truncate ${option.value === "" ? "muted" : ""}`}>{option.label}</span>
              {(option.detail !== undefined || isSelected) && <span className="menu-end">{option.detail ?? <Icon name="check" />}</span>}
            </>
          )}
        </ListBoxItem>
      )}
    </ListBox>
  );
  return (
    <AriaSelect
      aria-label={label}
      isDisabled={disabled}
      value={chosen || (clearable && value === "") ? keyOf(value) : null}
      onChange={(key) => {
        if (key !== null) onChange(valueOf(key));
      }}
      onOpenChange={() => setSearch("")}
    >
      <Button className={`button select ${className}`}>
        {chosen?.before}
        <SelectValue className={`truncate ${value === "" ? "select-placeholder" : ""}`}>{() => text}</SelectValue>
        <Icon name="chevronDown" />
      </Button>
      <Popover className="popover select-popover" offset={4}>
        {searchable ? (
          <Autocomplete inputValue={search} onInputChange={setSearch}>
            <TextField className="select-search" aria-label={`${label}: ${common.search}`} autoFocus>
              <Icon name="search" />
              <Input placeholder={common.search} />
            </TextField>
            {list}
          </Autocomplete>
        ) : (
          list
        )}
      </Popover>
    </AriaSelect>
  );
}

/** Options that hold the text, whatever its case and however its letters are composed. */
function found(options: readonly Option[], search: string, any: string | null): Option[] {
  const wanted = plain(search);
  const matching = options.filter((option) => plain(option.label).includes(wanted));
  return (any !== null && search === "" ? [{ value: "", label: any }, ...matching] : matching).slice(0, MAX_SHOWN);
}

function plain(text: string): string {
  return text.normalize("NFC").toLowerCase();
}
