/**
 * The table of every page: only rows in sight are drawn, columns sort, arrow keys (or j and k) walk and Enter opens.
 *
 * Each row is a table body of its own, so that what it unfolds stands below it and may be of any height.
 */

import { useVirtualizer } from "@tanstack/react-virtual";
import type { CSSProperties, HTMLAttributes, KeyboardEvent, MouseEvent, ReactNode, RefObject } from "react";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useMessages } from "../i18n";
import { useParam, useSetParams } from "../url/params";
import { Icon } from "./icon";
import { useShortcuts } from "./shortcuts";

export interface Column<T> {
  id: string;
  title: string;
  cell: (row: T) => ReactNode;
  /** Given for columns that sort: text ascending first, numbers descending. */
  sort?: (row: T) => string | number;
  numeric?: boolean;
  /** "20%", "120px"; columns without share what is left. */
  width?: string;
  className?: string;
}

interface TableProps<T> {
  label: string;
  rows: readonly T[];
  columns: readonly Column<T>[];
  /** Stays the same while the row is the same. */
  keyOf: (row: T, index: number) => string;
  /** Of a row that is folded, in pixels; rows may be higher. */
  rowHeight: number;
  /** Name of the column that sorts at first, descending; without one rows stay in their order. The choice is kept in the URL. */
  sortedBy?: string;
  /** Enter and a click on the row beside its links. */
  onOpen?: (row: T) => void;
  /** What a row unfolds; instead of `onOpen`. */
  detail?: (row: T) => ReactNode;
  rowAttributes?: (row: T) => HTMLAttributes<HTMLTableRowElement> & Record<`data-${string}`, unknown>;
  /** Scrolls by itself inside its parent instead of with the page. */
  fill?: boolean;
  /** More rows than these are to be had. */
  more?: { wanted: boolean; loading: boolean; load: () => void };
  /** Said when there are no rows. */
  empty?: string;
  className?: string;
}

interface Sort {
  column: string;
  ascending: boolean;
}

export function Table<T>(props: TableProps<T>): ReactNode {
  const { label, columns, keyOf, rowHeight, sortedBy, onOpen, detail, fill = false, more, empty, className = "" } = props;
  const { common } = useMessages();
  const sort = useSort(sortedBy ?? "");
  const rows = useMemo(() => sorted(props.rows, columns, sort), [props.rows, columns, sort]);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [active, setActive] = useState(-1);
  const holder = useRef<HTMLDivElement>(null);
  const focusWanted = useRef(false);
  const margin = useOffset(holder, fill);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => (fill ? holder.current : (holder.current?.closest<HTMLElement>(".main") ?? null)),
    estimateSize: () => rowHeight,
    getItemKey: (index) => {
      const row = rows[index];
      return row === undefined ? index : keyOf(row, index);
    },
    scrollMargin: margin,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? -1;
  useEffect(() => {
    if (more?.wanted && !more.loading && last >= rows.length - 1) more.load();
  }, [more, last, rows.length]);
  useEffect(() => {
    if (!focusWanted.current) return;
    const row = holder.current?.querySelector<HTMLElement>(`[data-row="${active}"]`);
    if (!row) return;
    focusWanted.current = false;
    row.focus({ preventScroll: true });
  });

  const walk = (to: number): void => {
    const next = Math.max(0, Math.min(rows.length - 1, to));
    focusWanted.current = true;
    setActive(next);
    virtual.scrollToIndex(next, { align: "auto" });
  };
  const choose = (index: number): void => {
    const row = rows[index];
    if (row === undefined) return;
    if (!detail) {
      onOpen?.(row);
      return;
    }
    setOpen((before) => {
      const after = new Set(before);
      if (!after.delete(keyOf(row, index))) after.add(keyOf(row, index));
      return after;
    });
  };
  const onKeyDown = (event: KeyboardEvent<HTMLElement>): void => {
    // Links, buttons and fields inside rows keep their keys.
    if (!(event.target instanceof HTMLTableRowElement)) return;
    const page = Math.max(1, Math.floor((virtual.scrollElement?.clientHeight ?? 0) / rowHeight) - 1);
    const to = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: rows.length }[event.key];
    if (to !== undefined) walk(to);
    else if (event.key === "Enter") choose(active);
    else return;
    event.preventDefault();
  };
  useShortcuts({
    j: () => walk(active + 1),
    k: () => walk(active - 1),
    ...(detail && { Escape: () => setOpen(new Set()) }),
  });

  const opens = onOpen !== undefined || detail !== undefined;
  const spaceAbove = (items[0]?.start ?? margin) - margin;
  const spaceBelow = virtual.getTotalSize() - ((items.at(-1)?.end ?? margin) - margin);
  return (
    <div ref={holder} className={`card table-wrap ${fill ? "table-fill" : ""}`}>
      <table
        className={`table ${className}`}
        role={detail ? "treegrid" : "grid"}
        aria-label={label}
        aria-rowcount={more?.wanted ? -1 : rows.length + 1}
        style={{ "--row": `${rowHeight}px` } as CSSProperties}
        onKeyDown={onKeyDown}
      >
        <colgroup>
          {columns.map(({ id, width }) => (
            <col key={id} style={{ width }} />
          ))}
        </colgroup>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map((column) => (
              <Head key={column.id} column={column} sort={sort} />
            ))}
          </tr>
        </thead>
        <Space height={spaceAbove} />
        {items.map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          const unfolded = open.has(String(item.key));
          return (
            <tbody key={item.key} ref={virtual.measureElement} data-index={item.index}>
              <tr
                {...props.rowAttributes?.(row)}
                data-row={item.index}
                data-opens={opens}
                aria-rowindex={item.index + 2}
                aria-expanded={detail && unfolded}
                tabIndex={item.index === Math.max(0, active) ? 0 : -1}
                onFocus={() => setActive(item.index)}
                onClick={(event) => {
                  if (opens && isPlainClick(event)) choose(item.index);
                }}
              >
                {columns.map(({ id, numeric, className: own = "", cell }) => (
                  <td key={id} className={`${own} ${numeric ? "number" : ""}`}>
                    {cell(row)}
                  </td>
                ))}
              </tr>
              {detail && unfolded && (
                <tr>
                  <td colSpan={columns.length} className="table-detail">
                    {detail(row)}
                  </td>
                </tr>
              )}
            </tbody>
          );
        })}
        <Space height={spaceBelow} />
      </table>
      {rows.length === 0 && empty !== undefined && <p className="load-more">{empty}</p>}
      {more && (more.wanted || rows.length > 0) && <p className="load-more">{more.wanted ? <span className="spinner" role="status" aria-label={common.loading} /> : common.end}</p>}
    </div>
  );
}

/** Stands for the rows out of sight. */
function Space({ height }: { height: number }): ReactNode {
  return (
    height > 0 && (
      <tbody aria-hidden>
        <tr>
          <td className="table-space" style={{ height }} />
        </tr>
      </tbody>
    )
  );
}

function Head<T>({ column, sort }: { column: Column<T>; sort: Sort }): ReactNode {
  const { services } = useMessages();
  const setParams = useSetParams();
  const { id, title, numeric } = column;
  const active = sort.column === id;
  const first = numeric ? "-" : "";
  const next = active ? (sort.ascending ? "-" : "") : first;
  return (
    <th className={numeric ? "number" : ""} scope="col" aria-sort={active ? (sort.ascending ? "ascending" : "descending") : undefined}>
      {column.sort ? (
        <button type="button" aria-label={services.sortBy(title)} onClick={() => setParams({ sort: `${next}${id}` }, { replace: true })}>
          {title} {active && <Icon name={sort.ascending ? "chevronUp" : "chevronDown"} />}
        </button>
      ) : (
        title
      )}
    </th>
  );
}

/** `sort=rate` or `sort=-rate`. */
function useSort(first: string): Sort {
  const text = useParam("sort") || `-${first}`;
  return useMemo(() => ({ column: text.replace(/^-/, ""), ascending: !text.startsWith("-") }), [text]);
}

export function sorted<T>(rows: readonly T[], columns: readonly Column<T>[], sort: Sort): readonly T[] {
  const value = columns.find(({ id }) => id === sort.column)?.sort;
  if (!value) return rows;
  const direction = sort.ascending ? 1 : -1;
  return rows.toSorted((a, b) => {
    const [x, y] = [value(a), value(b)];
    return direction * (typeof x === "string" ? x.localeCompare(String(y)) : x - Number(y));
  });
}

/** A click that chooses a row: not on something inside it, not the end of selecting text. */
function isPlainClick(event: MouseEvent): boolean {
  return !(event.target as Element).closest("a, button, input") && window.getSelection()?.isCollapsed !== false;
}

/** How far below the top of what scrolls the table begins; what stands above it grows while answers arrive. */
function useOffset(holder: RefObject<HTMLElement | null>, fill: boolean): number {
  const [offset, setOffset] = useState(0);
  useLayoutEffect(() => {
    const table = holder.current;
    const scroller = table?.closest<HTMLElement>(".main");
    if (fill || !table || !scroller) return undefined;
    const measure = (): void =>
      setOffset(Math.round(table.getBoundingClientRect().top - scroller.getBoundingClientRect().top + scroller.scrollTop));
    measure();
    const observer = new ResizeObserver(measure);
    for (const child of table.parentElement?.children ?? []) if (child !== table) observer.observe(child);
    return () => observer.disconnect();
  }, [holder, fill]);
  return offset;
}
