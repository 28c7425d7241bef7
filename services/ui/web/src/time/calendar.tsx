/** A month to pick days from: the first click is the start, the second the end. */

import type { ReactNode } from "react";
import { useState } from "react";
import { useLocale, useMessages } from "../i18n";
import { Icon } from "../ui/icon";
import type { Zone } from "./zone";
import { toWall } from "./zone";

interface CalendarProps {
  zone: Zone;
  initialMs: number;
  /** "2026-11-24" */
  from: string;
  to: string;
  onPick: (first: string, last: string) => void;
}

export function Calendar({ zone, initialMs, from, to, onPick }: CalendarProps): ReactNode {
  const { time } = useMessages();
  const locale = useLocale();
  const [{ year, month }, setMonth] = useState(() => toWall(initialMs, zone));
  const [anchor, setAnchor] = useState<string | null>(null);
  const [today] = useState(() => isoDay(toWall(Date.now(), zone)));
  const step = (months: number): void => {
    const moved = new Date(Date.UTC(year, month - 1 + months, 1));
    setMonth((wall) => ({ ...wall, year: moved.getUTCFullYear(), month: moved.getUTCMonth() + 1 }));
  };
  const pick = (day: string): void => {
    if (anchor === null) {
      setAnchor(day);
      onPick(day, day);
    } else {
      setAnchor(null);
      onPick(day < anchor ? day : anchor, day < anchor ? anchor : day);
    }
  };
  // The first of January 2024 was a Monday.
  const weekdays = Array.from({ length: 7 }, (_, index) =>
    new Intl.DateTimeFormat(locale, { weekday: "narrow", timeZone: "UTC" }).format(Date.UTC(2024, 0, 1 + index)),
  );
  return (
    <div className="calendar">
      <div className="calendar-head">
        <button type="button" className="button button-quiet button-icon button-small" aria-label={time.previousMonth} onClick={() => step(-1)}>
          <Icon name="chevronLeft" />
        </button>
        <span>
          {new Intl.DateTimeFormat(locale, { year: "numeric", month: "long", timeZone: "UTC" }).format(Date.UTC(year, month - 1, 1))}
        </span>
        <button type="button" className="button button-quiet button-icon button-small" aria-label={time.nextMonth} onClick={() => step(1)}>
          <Icon name="chevronRight" />
        </button>
      </div>
      <div className="calendar-grid">
        {weekdays.map((weekday, index) => (
          <span key={index} className="calendar-weekday">
            {weekday}
          </span>
        ))}
        {monthDays(year, month).map((day, index) =>
          day === null ? (
            <span key={`gap-${index}`} />
          ) : (
            <button
              key={day}
              type="button"
              className="calendar-day"
              disabled={day > today}
              data-edge={day === from || day === to}
              data-inside={day > from && day < to}
              data-today={day === today}
              onClick={() => pick(day)}
            >
              {Number(day.slice(8))}
            </button>
          ),
        )}
      </div>
    </div>
  );
}

/** Days of the month as ISO dates, led by gaps up to its first weekday; weeks begin on Monday. */
export function monthDays(year: number, month: number): (string | null)[] {
  const first = new Date(Date.UTC(year, month - 1, 1));
  const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
  const gaps = new Array<null>((first.getUTCDay() + 6) % 7).fill(null);
  return [...gaps, ...Array.from({ length: days }, (_, index) => isoDay({ year, month, day: index + 1 }))];
}

function isoDay({ year, month, day }: { year: number; month: number; day: number }): string {
  return `${String(year).padStart(4, "0")}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
}
