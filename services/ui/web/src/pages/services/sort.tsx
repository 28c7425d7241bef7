/** Sorting of small tables, kept in the URL. */

import type { ReactNode } from "react";
import { useMessages } from "../../i18n";
import { Icon } from "../../ui/icon";
import { useParam, useSetParams } from "../../url/params";

export interface Sort {
  column: string;
  ascending: boolean;
}

/** `sort=rate` or `sort=-rate`; text columns begin ascending, numbers descending. */
export function useSort(first: string): Sort {
  const text = useParam("sort") || `-${first}`;
  return { column: text.replace(/^-/, ""), ascending: !text.startsWith("-") };
}

export function sorted<T>(rows: readonly T[], columns: Record<string, (row: T) => string | number>, sort: Sort): T[] {
  const value = columns[sort.column] ?? Object.values(columns)[0];
  if (!value) return [...rows];
  const direction = sort.ascending ? 1 : -1;
  return rows.toSorted((a, b) => {
    const [x, y] = [value(a), value(b)];
    return direction * (typeof x === "string" ? x.localeCompare(String(y)) : x - Number(y));
  });
}

export function SortHead({ sort, column, label, className }: { sort: Sort; column: string; label: string; className?: string }): ReactNode {
  const { services } = useMessages();
  const setParams = useSetParams();
  const active = sort.column === column;
  return (
    <th className={className} aria-sort={active ? (sort.ascending ? "ascending" : "descending") : undefined}>
      <button
        type="button"
        aria-label={services.sortBy(label)}
        onClick={() => setParams({ sort: `${active && !sort.ascending ? "" : "-"}${column}` }, { replace: true })}
      >
        {label} {active && <Icon name={sort.ascending ? "chevronUp" : "chevronDown"} />}
      </button>
    </th>
  );
}
