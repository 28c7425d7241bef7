import { useVirtualizer } from "@tanstack/react-virtual";
import type { CSSProperties, ReactNode } from "react";
import { memo, useCallback, useMemo, useRef, useState } from "react";
import { Link, useParams } from "react-router";
import type { Trace } from "../../api/schema";
import { useUntimedQuery } from "../../api/use-api";
import { formatDuration, formatDurationTick } from "../../format/duration";
import { formatNanos } from "../../format/instant";
import { formatCount } from "../../format/number";
import { useLocale, useMessages } from "../../i18n";
import { paths } from "../registry";
import { Heading, Page, useTitle } from "../../shell/page";
import { Answer } from "../../ui/answer";
import { useTime } from "../../time/context";
import { IconButton } from "../../ui/button";
import { Icon } from "../../ui/icon";
import { Tip } from "../../ui/tip";
import { ServiceName, categoryVar, serviceSlots } from "../../ui/service";
import { CopyButton, FilterField, cssVars } from "../../ui/small";
import { useShortcuts } from "../../ui/shortcuts";
import { Empty } from "../../ui/states";
import { useLinkTo, useParam, useSetParams } from "../../url/params";
import { criticalPath } from "./critical-path";
import type { Segment } from "./critical-path";
import { Minimap } from "./minimap";
import { SpanPanel } from "./span-panel";
import type { Row, Waterfall } from "./waterfall";
import { ancestors, buildWaterfall, visibleRows } from "./waterfall";
import "./page.css";

const ROW_HEIGHT = 26;

export default function TracePage(): ReactNode {
  const { traceId = "" } = useParams();
  const { trace, common } = useMessages();
  const query = useUntimedQuery("/api/v1/traces/{trace_id}", { path: { trace_id: traceId } });
  return query.data ? (
    <Loaded key={query.data.trace_id} trace={query.data} />
  ) : (
    <Page id="trace" parent="traces">
      <Answer
        query={query}
        rows={14}
        missing={
          <Empty icon="traces" title={trace.notFoundTitle} detail={trace.notFoundDetail}>
            <button type="button" className="button" onClick={() => void query.refetch()}>
              <Icon name="refresh" />
              {common.retry}
            </button>
          </Empty>
        }
      >
        {() => null}
      </Answer>
    </Page>
  );
}

/** What part of the trace the timeline shows, nanoseconds from its start. */
export interface Window {
  start: number;
  end: number;
}

function Loaded({ trace }: { trace: Trace }): ReactNode {
  const messages = useMessages();
  const setParams = useSetParams();
  const selectedSpan = useParam("span");
  const search = useParam("find");
  const aligned = useParam("align") !== "";
  const critical = useParam("critical") !== "";
  const waterfall = useMemo(() => buildWaterfall(trace.spans, aligned), [trace, aligned]);
  const { rows } = waterfall;
  const [collapsed, setCollapsed] = useState<ReadonlySet<number>>(new Set());
  const [window, setWindow] = useState<Window | null>(null);
  const shown = useMemo(() => visibleRows(rows, collapsed), [rows, collapsed]);
  const slots = useMemo(() => serviceSlots(waterfall.services.map((one) => one.service)), [waterfall]);
  const path = useMemo(() => (critical ? criticalPath(rows) : null), [critical, rows]);
  const matches = useMemo(() => matching(rows, search), [rows, search]);
  const matchSet = useMemo(() => new Set(matches), [matches]);
  const selected = useMemo(() => rows.findIndex((row) => row.span.span_id === selectedSpan), [rows, selectedSpan]);
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: shown.length, getScrollElement: () => scroller.current, estimateSize: () => ROW_HEIGHT, overscan: 20 });

  const select = useCallback(
    (index: number) => setParams({ span: rows[index]?.span.span_id ?? null }, { replace: true }),
    [rows, setParams],
  );
  const reveal = (index: number): void => {
    const hidden = ancestors(rows, index);
    const open = new Set([...collapsed].filter((one) => !hidden.includes(one)));
    setCollapsed(open);
    select(index);
    virtual.scrollToIndex(visibleRows(rows, open).indexOf(index), { align: "auto" });
  };
  const fold = useCallback(
    (index: number, closed: boolean) =>
      setCollapsed((before) => {
        const after = new Set(before);
        if (closed) after.add(index);
        else after.delete(index);
        return after;
      }),
    [],
  );
  const move = (step: number): void => {
    const at = shown.indexOf(selected);
    const next = shown[Math.max(0, Math.min(shown.length - 1, at + step))];
    if (next !== undefined) reveal(next);
  };
  const match = (step: number): void => {
    if (matches.length === 0) return;
    const at = matches.indexOf(selected);
    reveal(matches[(at + step + matches.length) % matches.length] ?? 0);
  };
  const foldAll = (): void => setCollapsed(new Set(rows.flatMap((row, index) => (row.childCount > 0 && row.depth > 0 ? [index] : []))));
  const current = rows[selected];
  useShortcuts({
    j: () => move(1),
    ArrowDown: () => move(1),
    k: () => move(-1),
    ArrowUp: () => move(-1),
    ArrowLeft: () => {
      if (!current) return;
      if (current.childCount > 0 && !collapsed.has(selected)) fold(selected, true);
      else if (current.parent >= 0) reveal(current.parent);
    },
    ArrowRight: () => {
      if (current && collapsed.has(selected)) fold(selected, false);
      else move(1);
    },
    n: () => match(1),
    N: () => match(-1),
    Escape: () => setParams({ span: null }, { replace: true }),
    "-": foldAll,
    "+": () => setCollapsed(new Set()),
  });

  return (
    <div className="trace-page">
      <Head trace={trace} waterfall={waterfall} slots={slots} />
      {trace.truncated && (
        <p className="note trace-note">
          <Icon name="warning" />
          {messages.trace.truncated(rows.length)}
        </p>
      )}
      <div className="trace-tools">
        <FilterField value={search} label={messages.trace.search} shortcut onChange={(text) => setParams({ find: text }, { replace: true })} />
        {search !== "" && (
          <>
            <span className="muted">
              {matches.length === 0 ? messages.trace.noMatches : messages.trace.matches(matches.indexOf(selected) + 1, matches.length)}
            </span>
            <IconButton icon="chevronUp" label={messages.trace.previous} onClick={() => match(-1)} />
            <IconButton icon="chevronDown" label={messages.trace.next} onClick={() => match(1)} />
          </>
        )}
        <Tip text={messages.trace.criticalHint}>
          <button
            type="button"
            className="button"
            aria-pressed={critical}
            onClick={() => setParams({ critical: critical ? null : "1" }, { replace: true })}
          >
            {messages.trace.criticalPath}
          </button>
        </Tip>
        {rows.some((row) => row.early > 0 || aligned) && (
          <Tip text={messages.trace.alignHint}>
            <button
              type="button"
              className="button"
              aria-pressed={aligned}
              onClick={() => setParams({ align: aligned ? null : "1" }, { replace: true })}
            >
              {messages.trace.align}
            </button>
          </Tip>
        )}
        <button type="button" className="button button-quiet" onClick={foldAll}>
          <Icon name="collapseAll" />
          {messages.trace.collapseAll}
        </button>
        <button type="button" className="button button-quiet" onClick={() => setCollapsed(new Set())}>
          <Icon name="expandAll" />
          {messages.trace.expandAll}
        </button>
        {window && (
          <button type="button" className="button button-quiet" onClick={() => setWindow(null)}>
            <Icon name="zoomOut" />
            {messages.trace.resetZoom}
          </button>
        )}
      </div>
      <div className="waterfall-side">
        <Minimap rows={rows} duration={waterfall.duration} slots={slots} window={window} onWindow={setWindow} />
        <Ruler start={window?.start ?? 0} end={window?.end ?? Math.max(1, waterfall.duration)} />
        <div ref={scroller} className="waterfall" role="tree" aria-label={messages.trace.spans} tabIndex={0}>
          <div className="list-rows" style={{ height: virtual.getTotalSize() }}>
            {virtual.getVirtualItems().map((item) => {
              const index = shown[item.index] ?? 0;
              const row = rows[index];
              if (!row) return null;
              return (
                <div key={item.key} className="list-row" style={{ transform: `translateY(${item.start}px)` }}>
                  <SpanRow
                    row={row}
                    index={index}
                    slot={slots.get(row.span.service) ?? 0}
                    folded={collapsed.has(index)}
                    selected={index === selected}
                    matched={matchSet.has(index)}
                    critical={path?.get(index)}
                    start={window?.start ?? 0}
                    end={window?.end ?? Math.max(1, waterfall.duration)}
                    onSelect={select}
                    onFold={fold}
                  />
                </div>
              );
            })}
          </div>
        </div>
      </div>
      {current && <SpanPanel key={current.span.span_id} row={current} traceStart={waterfall.startNano} onClose={() => select(-1)} />}
    </div>
  );
}

function matching(rows: readonly Row[], search: string): number[] {
  const wanted = search.trim().toLowerCase();
  if (wanted === "") return [];
  return rows.flatMap((row, index) => {
    const { span } = row;
    const texts = [span.name, span.service, span.span_id, span.status.message, JSON.stringify(span.attributes)];
    return texts.some((text) => text.toLowerCase().includes(wanted)) ? [index] : [];
  });
}

function Head({ trace, waterfall, slots }: { trace: Trace; waterfall: Waterfall; slots: ReadonlyMap<string, number> }): ReactNode {
  const messages = useMessages();
  const locale = useLocale();
  const title = useTitle("trace");
  const { zone } = useTime();
  const linkTo = useLinkTo();
  const root = waterfall.rows[0]?.span;
  const errors = waterfall.services.reduce((sum, one) => sum + one.errorCount, 0);
  const facts: [string, string][] = [
    [messages.trace.duration, formatDuration(waterfall.duration)],
    [messages.trace.spans, formatCount(waterfall.rows.length, locale)],
    [messages.trace.services, formatCount(waterfall.services.length, locale)],
    [messages.trace.depth, formatCount(waterfall.maxDepth + 1, locale)],
    [messages.trace.started, formatNanos(waterfall.startNano, zone)],
  ];
  return (
    <header className="trace-head">
      <Heading title={root ? `${root.service} ${root.name}` : title} parent="traces">
        {root && <ServiceName service={root.service} slot={slots.get(root.service)} />}
        <span className="truncate">{root?.name}</span>
      </Heading>
      {facts.map(([label, value]) => (
        <dl key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </dl>
      ))}
      {errors > 0 && (
        <span className="badge badge-error">
          <Icon name="error" />
          {messages.trace.errors} {formatCount(errors, locale)}
        </span>
      )}
      <span className="trace-id mono muted">
        {trace.trace_id} <CopyButton text={trace.trace_id} />
      </span>
      <Link className="button button-small" to={linkTo(paths.logs, { query: `trace_id=${trace.trace_id}` })}>
        <Icon name="logs" />
        {messages.trace.logs}
      </Link>
    </header>
  );
}

function Ruler({ start, end }: Window): ReactNode {
  const { common } = useMessages();
  return (
    <div className="ruler" aria-hidden>
      <span>
        {common.service} · {common.operation}
      </span>
      <span className="ruler-ticks">
        {[0, 0.25, 0.5, 0.75, 1].map((share) => (
          <span key={share} style={share < 1 ? { left: `${share * 100}%` } : { right: 0 }}>
            {formatDurationTick(start + (end - start) * share)}
          </span>
        ))}
      </span>
    </div>
  );
}

interface SpanRowProps {
  row: Row;
  index: number;
  slot: number;
  folded: boolean;
  selected: boolean;
  matched: boolean;
  critical: readonly Segment[] | undefined;
  start: number;
  end: number;
  onSelect: (index: number) => void;
  onFold: (index: number, closed: boolean) => void;
}

/** Behind the bar or before it, whichever has more room; inside when neither side has any. Per cent of the row. */
function labelPlace(left: number, right: number): { inside: boolean; style: CSSProperties } {
  const behind = 100 - right;
  if (Math.max(left, behind) < 12) return { inside: true, style: { right: `${Math.max(0, behind)}%` } };
  const style = behind >= 18 || behind >= left ? { left: `${Math.max(0, right)}%` } : { right: `${Math.min(100, 100 - left)}%` };
  return { inside: false, style };
}

const SpanRow = memo(function SpanRow(props: SpanRowProps): ReactNode {
  const { row, index, slot, folded, selected, matched, critical, start, end, onSelect, onFold } = props;
  const { trace } = useMessages();
  const width = end - start;
  const share = (ns: number): number => (ns / width) * 100;
  const left = share(row.start - start);
  const right = left + share(Math.max(row.duration, 0));
  const oddity = row.oddities[0];
  const place = labelPlace(left, right);
  return (
    <div
      className="waterfall-row"
      role="treeitem"
      aria-level={row.depth + 1}
      aria-selected={selected}
      aria-expanded={row.childCount > 0 ? !folded : undefined}
      data-match={matched}
      onClick={() => onSelect(index)}
      style={cssVars({ "--service": categoryVar(slot), "--depth": Math.min(row.depth, 24) })}
    >
      <span className="waterfall-name">
        <span className="waterfall-fold">
          {row.childCount > 0 && (
            <button
              type="button"
              tabIndex={-1}
              aria-label={folded ? trace.expand : trace.collapse}
              onClick={(event) => {
                event.stopPropagation();
                onFold(index, !folded);
              }}
            >
              <Icon name={folded ? "chevronRight" : "chevronDown"} />
            </button>
          )}
        </span>
        <span className="service-dot" />
        {row.failed && (
          <span className="text-error">
            <Icon name="error" />
          </span>
        )}
        {oddity && (
          <span className="muted" title={oddity === "early" ? trace.earlyBy(formatDuration(row.early)) : trace.odd[oddity]}>
            <Icon name="warning" />
          </span>
        )}
        <b>{row.span.service}</b>
        <span className="truncate">{row.span.name}</span>
        {folded && <span className="badge">{trace.hidden(row.subtreeEnd - index - 1)}</span>}
        {folded && row.failedBelow > 0 && <span className="badge badge-error">{trace.errorsBelow(row.failedBelow)}</span>}
      </span>
      <span className="waterfall-track">
        <span
          className="waterfall-bar"
          data-failed={row.failed}
          style={cssVars({ "--left": `${left}%`, "--width": `${Math.max(0, right - left)}%` })}
        />
        {critical?.map((segment) => (
          <span
            key={segment.start}
            className="waterfall-critical"
            style={cssVars({ "--left": `${share(segment.start - start)}%`, "--width": `${share(segment.end - segment.start)}%` })}
          />
        ))}
        <span className={place.inside ? "waterfall-label waterfall-label-inside" : "waterfall-label"} style={place.style}>
          {formatDuration(row.duration)}
        </span>
      </span>
    </div>
  );
});
