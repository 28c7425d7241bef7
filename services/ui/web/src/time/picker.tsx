/** The time range control: typed ranges, presets, fixed times with a calendar, zone. */

import type { ReactNode, RefObject } from "react";
import { useState } from "react";
import { ListBox, ListBoxItem } from "react-aria-components";
import { formatDateTime } from "../format/instant";
import type { Messages } from "../i18n";
import { useMessages } from "../i18n";
import { IconButton } from "../ui/button";
import { Icon } from "../ui/icon";
import { Popover } from "../ui/popover";
import { Calendar } from "./calendar";
import { useTime } from "./context";
import { parseTypedRange } from "./parse";
import type { TimeRange } from "./range";
import { PRESETS, isRelative, shifted, widened } from "./range";
import { ZoneSelect } from "./zone-select";
import type { Zone } from "./zone";
import { offsetLabel } from "./zone";

export function TimePicker({ buttonRef }: { buttonRef: RefObject<HTMLButtonElement | null> }): ReactNode {
  const messages = useMessages();
  const { range, interval, zone, setRange } = useTime();
  const text = rangeText(range, interval, zone, messages);
  const now = (): number => Date.now();
  return (
    <div className="button-group time-picker">
      <IconButton icon="chevronLeft" label={messages.time.earlier} className="time-step" onClick={() => setRange(shifted(interval, -1, now()))} />
      <Popover
        buttonRef={buttonRef}
        className="button time-button"
        label={messages.time.label}
        named
        placement="bottom end"
        popoverClassName="time-popover"
        button={
          <>
            <Icon name="clock" />
            <span className="visually-hidden">{messages.time.label}: </span>
            <span className="truncate">{text}</span>
            <span className="time-zone-tag">{offsetLabel(interval.toMs, zone)}</span>
          </>
        }
      >
        {(close) => <Panel close={close} />}
      </Popover>
      <IconButton icon="chevronRight" label={messages.time.later} className="time-step" disabled={isRelative(range)} onClick={() => setRange(shifted(interval, 1, now()))} />
      <IconButton icon="zoomOut" label={messages.time.zoomOut} className="time-step" onClick={() => setRange(widened(interval, now()))} />
    </div>
  );
}

/** "Last 1 h", or both ends; the date of the end only where it differs. */
export function rangeText(range: TimeRange, interval: { fromMs: number; toMs: number }, zone: Zone, messages: Messages): string {
  const relative = /^now-(\d+(?:\.\d+)?)(s|m|h|d)$/.exec(range.from);
  if (range.to === "now" && relative) return messages.time.last(presetText(`${relative[1] ?? ""}${relative[2] ?? ""}`, messages));
  const from = formatDateTime(interval.fromMs, zone);
  const to = formatDateTime(interval.toMs, zone);
  return from.slice(0, 10) === to.slice(0, 10) ? `${from.slice(5)} – ${to.slice(11)}` : `${from.slice(5, 16)} – ${to.slice(5, 16)}`;
}

/** "1h" as "1 h" or "1시간". */
export function presetText(text: string, { time }: Messages): string {
  const [, amount = "", unit = "h"] = /^([\d.]+)([smhd])$/.exec(text) ?? [];
  const word = time.unit[unit as "s" | "m" | "h" | "d"];
  return /[가-힣]/.test(word) ? `${amount}${word}` : `${amount} ${word}`;
}

function Panel({ close }: { close: () => void }): ReactNode {
  const messages = useMessages();
  const { range, setRange } = useTime();
  const apply = (next: TimeRange): void => {
    close();
    setRange(next);
  };
  return (
    <div className="time-panel">
      <Typed onApply={apply} />
      <div className="time-columns">
        <div className="time-presets">
          <p className="menu-heading">{messages.time.relative}</p>
          <ListBox
            className="menu"
            aria-label={messages.time.relative}
            selectionMode="single"
            disallowEmptySelection
            selectedKeys={range.to === "now" ? [range.from] : []}
            onSelectionChange={(keys) => {
              for (const key of keys) apply({ from: String(key), to: "now" });
            }}
          >
            {PRESETS.map(({ text }) => {
              const label = messages.time.last(presetText(text, messages));
              return (
                <ListBoxItem key={text} id={`now-${text}`} textValue={label} className="menu-item">
                  <span className="truncate">{label}</span>
                  <span className="menu-end">{text}</span>
                </ListBoxItem>
              );
            })}
          </ListBox>
        </div>
        <Fixed onApply={apply} />
      </div>
      <ZoneSelect />
    </div>
  );
}

function Typed({ onApply }: { onApply: (range: TimeRange) => void }): ReactNode {
  const { time } = useMessages();
  const { zone } = useTime();
  const [text, setText] = useState("");
  const [refused, setRefused] = useState(false);
  const [openedMs] = useState(() => Date.now());
  const understood = text.trim() === "" ? null : parseTypedRange(text, openedMs, zone);
  return (
    <form
      className="time-typed"
      onSubmit={(event) => {
        event.preventDefault();
        if (understood) onApply(understood);
        else setRefused(true);
      }}
    >
      <label className="field" data-invalid={refused && !understood}>
        <Icon name="clock" />
        <input
          autoFocus
          value={text}
          aria-label={time.typed}
          placeholder={time.typedPlaceholder}
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => {
            setText(event.target.value);
            setRefused(false);
          }}
        />
        {understood && <span className="kbd">↵</span>}
      </label>
      {understood && <UnderstoodRange range={understood} />}
      {refused && !understood && <p className="field-error">{time.unreadable}</p>}
    </form>
  );
}

function UnderstoodRange({ range }: { range: TimeRange }): ReactNode {
  const messages = useMessages();
  const { zone } = useTime();
  if (isRelative(range)) return <p className="time-understood">{messages.time.last(presetText(range.from.slice(4), messages))}</p>;
  return (
    <p className="time-understood">
      {formatDateTime(Date.parse(range.from), zone)} – {formatDateTime(Date.parse(range.to), zone)}
    </p>
  );
}

function Fixed({ onApply }: { onApply: (range: TimeRange) => void }): ReactNode {
  const messages = useMessages();
  const { interval, zone } = useTime();
  const [from, setFrom] = useState(() => formatDateTime(interval.fromMs, zone));
  const [to, setTo] = useState(() => formatDateTime(interval.toMs, zone));
  const [openedMs] = useState(() => Date.now());
  const parsed = parseTypedRange(`${from} – ${to}`, openedMs, zone);
  return (
    <form
      className="time-fixed"
      onSubmit={(event) => {
        event.preventDefault();
        if (parsed) onApply(parsed);
      }}
    >
      <p className="menu-heading">{messages.time.absolute}</p>
      <Calendar
        zone={zone}
        from={from.slice(0, 10)}
        to={to.slice(0, 10)}
        onPick={(first, last) => {
          setFrom(`${first} 00:00:00`);
          setTo(`${last} 23:59:59`);
        }}
      />
      <div className="time-fields">
        <label className="field-label">
          {messages.time.from}
          <span className="field">
            <input className="mono" value={from} spellCheck={false} onChange={(event) => setFrom(event.target.value)} />
          </span>
        </label>
        <label className="field-label">
          {messages.time.to}
          <span className="field">
            <input className="mono" value={to} spellCheck={false} onChange={(event) => setTo(event.target.value)} />
          </span>
        </label>
      </div>
      {!parsed && <p className="field-error">{messages.time.invalid}</p>}
      <button type="submit" className="button button-primary" disabled={!parsed || isRelative(parsed)}>
        {messages.common.apply}
      </button>
    </form>
  );
}

