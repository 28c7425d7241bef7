/** Rows of the tip beside the pointer. */

import type { ReactNode } from "react";

export interface TipRow {
  label: string;
  value: string;
  /** A CSS colour. */
  color?: string | undefined;
}

const MAX_ROWS = 10;

export function TipBody({ title, rows, more }: { title: string; rows: readonly TipRow[]; more?: string | undefined }): ReactNode {
  return (
    <>
      <div className="chart-tip-title">{title}</div>
      {rows.slice(0, MAX_ROWS).map(({ label, value, color }) => (
        <div className="chart-tip-row" key={label}>
          {color && <i style={{ background: color }} />}
          <span className="truncate">{label}</span>
          <b>{value}</b>
        </div>
      ))}
      {rows.length > MAX_ROWS && <div className="muted">+{rows.length - MAX_ROWS}</div>}
      {more && <div className="muted">{more}</div>}
    </>
  );
}
