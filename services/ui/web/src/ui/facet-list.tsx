/** Values with their counts, one or several of which hold: what filters by an attribute, and what chooses from a catalogue. */

import type { ReactNode } from "react";
import { useMemo, useState } from "react";
import { ListBox, ListBoxItem, ListLayout, Virtualizer } from "react-aria-components";
import { keyOf, valueOf } from "./choice";
import { FilterField } from "./small";

export interface Facet {
  value: string;
  label: string;
  before?: ReactNode;
  /** Below the label. */
  detail?: ReactNode;
  /** Formatted. */
  count?: string;
}

interface FacetListProps {
  /** Names the list. */
  label: string;
  facets: readonly Facet[];
  /** Those that hold. */
  chosen: readonly string[];
  onChoose: (values: string[]) => void;
  /** One at a time, and always one. */
  single?: boolean;
  /** The field's label; a list without one is not searched. */
  search?: string;
  /** How many are shown, in words. */
  countText?: (count: number) => string;
  rowHeight?: number;
}

const LINE = 30;

export function FacetList(props: FacetListProps): ReactNode {
  const { label, facets, chosen, onChoose, single = false, search, countText, rowHeight = LINE } = props;
  const [text, setText] = useState("");
  const shown = useMemo(() => {
    const wanted = text.normalize("NFC").toLowerCase();
    return facets.filter((facet) => facet.label.normalize("NFC").toLowerCase().includes(wanted));
  }, [facets, text]);
  return (
    <div className="facets">
      {search !== undefined && (
        <div className="toolbar">
          <FilterField className="grow" value={text} label={search} shortcut onChange={setText} />
          {countText && <span className="toolbar-end">{countText(shown.length)}</span>}
        </div>
      )}
      <Virtualizer layout={ListLayout} layoutOptions={{ rowSize: rowHeight }}>
        <ListBox
          className="facet-list"
          aria-label={label}
          items={shown}
          selectionMode={single ? "single" : "multiple"}
          selectionBehavior="toggle"
          disallowEmptySelection={single}
          selectedKeys={chosen.map(keyOf)}
          onSelectionChange={(keys) => {
            if (keys !== "all") onChoose([...keys].map(valueOf));
          }}
        >
          {(facet) => (
            <ListBoxItem id={keyOf(facet.value)} textValue={facet.label} className="facet">
              <span className="facet-label">
                {facet.before}
                <span className="truncate">{facet.label}</span>
                {facet.count !== undefined && <span className="menu-end">{facet.count}</span>}
              </span>
              {facet.detail}
            </ListBoxItem>
          )}
        </ListBox>
      </Virtualizer>
    </div>
  );
}
