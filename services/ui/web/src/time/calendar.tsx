/** A month to pick days from: the first day chosen is the start, the second the end. */

import { CalendarDate, parseDate } from "@internationalized/date";
import type { ReactNode } from "react";
import { useState } from "react";
import {
  Button, CalendarCell, CalendarGrid, CalendarGridBody, CalendarGridHeader, CalendarHeaderCell, CalendarHeading, RangeCalendar,
} from "react-aria-components";
import { useMessages } from "../i18n";
import { Icon } from "../ui/icon";
import type { Zone } from "./zone";
import { toWall } from "./zone";

interface CalendarProps {
  zone: Zone;
  /** "2026-11-24"; what is no date selects nothing. */
  from: string;
  to: string;
  onPick: (first: string, last: string) => void;
}

export function Calendar({ zone, from, to, onPick }: CalendarProps): ReactNode {
  const { time } = useMessages();
  const [today] = useState(() => {
    const { year, month, day } = toWall(Date.now(), zone);
    return new CalendarDate(year, month, day);
  });
  const [start, end] = [dayOf(from), dayOf(to)];
  return (
    <RangeCalendar
      className="calendar"
      aria-label={time.absolute}
      firstDayOfWeek="mon"
      maxValue={today}
      defaultFocusedValue={end && end.compare(today) < 0 ? end : today}
      value={start && end && start.compare(end) <= 0 ? { start, end } : null}
      onChange={({ start: first, end: last }) => onPick(first.toString(), last.toString())}
    >
      <div className="calendar-head">
        <Button slot="previous" className="button button-quiet button-icon button-small">
          <Icon name="chevronLeft" />
        </Button>
        <CalendarHeading className="calendar-title" />
        <Button slot="next" className="button button-quiet button-icon button-small">
          <Icon name="chevronRight" />
        </Button>
      </div>
      <CalendarGrid className="calendar-grid" weekdayStyle="narrow">
        <CalendarGridHeader>{(weekday) => <CalendarHeaderCell className="calendar-weekday">{weekday}</CalendarHeaderCell>}</CalendarGridHeader>
        <CalendarGridBody>{(date) => <CalendarCell date={date} className="calendar-day" />}</CalendarGridBody>
      </CalendarGrid>
    </RangeCalendar>
  );
}

function dayOf(text: string): CalendarDate | null {
  try {
    return parseDate(text);
  } catch {
    return null;
  }
}
