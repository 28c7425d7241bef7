/** The frame of every chart: title and figure, controls, its states, a legend that hides lines, and what is missing. */

import type { ReactNode } from "react";
import { useState } from "react";
import { useMessages } from "../i18n";
import type { Asking } from "../ui/answer";
import { Answer } from "../ui/answer";
import { cssVars } from "../ui/small";

export interface LegendEntry {
  label: string;
  /** A custom property's name, "--cat-2". */
  color: string;
  /** The newest value, formatted. */
  value?: string;
}

interface ChartFrameProps<T> {
  title: string;
  /** Beside the title: the number that the chart is about, what kind it is. */
  figure?: ReactNode;
  /** At the end of the head: a hint, controls. */
  end?: ReactNode;
  /** Below the head: what is drawn. */
  note?: ReactNode;
  query: Asking & { data: T | undefined };
  empty?: { is: (data: T) => boolean; show: ReactNode };
  /** Room for the chart while it is on its way, in grey rows. */
  rows?: number;
  legend?: (data: T) => readonly LegendEntry[];
  /** Said below: that only a part is drawn, how many points there are. */
  foot?: (data: T) => ReactNode;
  /** `hidden` has the labels that the legend has turned off. */
  children: (data: T, hidden: ReadonlySet<string>) => ReactNode;
}

const NONE: ReadonlySet<string> = new Set();

export function ChartFrame<T>(props: ChartFrameProps<T>): ReactNode {
  const { title, figure, end, note, query, empty, rows = 6, legend, foot, children } = props;
  const [hidden, setHidden] = useState(NONE);
  return (
    <section className="card chart-frame" aria-label={title}>
      <div className="card-head">
        <h2 className="truncate">{title}</h2>
        {figure}
        {end !== undefined && <span className="hint">{end}</span>}
      </div>
      <div className="card-body">
        {note}
        <Answer query={query} rows={rows} {...(empty && { empty })}>
          {(data) => (
            <>
              {children(data, hidden)}
              {legend && <Legend entries={legend(data)} hidden={hidden} onHide={setHidden} />}
              {foot?.(data)}
            </>
          )}
        </Answer>
      </div>
    </section>
  );
}

interface LegendProps {
  entries: readonly LegendEntry[];
  hidden: ReadonlySet<string>;
  onHide: (labels: ReadonlySet<string>) => void;
}

function Legend({ entries, hidden, onHide }: LegendProps): ReactNode {
  const { common } = useMessages();
  if (entries.length < 2) return null;
  const toggle = (label: string): void => {
    const next = new Set(hidden);
    if (!next.delete(label)) next.add(label);
    // The last line that goes brings all back: an empty chart tells nobody anything.
    onHide(next.size === entries.length ? NONE : next);
  };
  return (
    <ul className="legend" aria-label={common.legend}>
      {entries.map(({ label, color, value }) => (
        <li key={label}>
          <button type="button" aria-pressed={!hidden.has(label)} onClick={() => toggle(label)}>
            <i style={cssVars({ "--series": `var(${color})` })} />
            <span className="truncate">{label}</span>
            {value !== undefined && <b>{value}</b>}
          </button>
        </li>
      ))}
    </ul>
  );
}
