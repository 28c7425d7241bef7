import { useVirtualizer } from "@tanstack/react-virtual";
import type { ReactNode } from "react";
import { useEffect, useMemo, useRef, useState } from "react";
import { Link } from "react-router";
import type { LogHistogram, LogRecord } from "../../api/schema";
import { usePagedQuery, useTimedQuery } from "../../api/use-api";
import { StackedBars } from "../../charts/stacked-bars";
import type { AttributeValue } from "../../format/attribute";
import { attributeTerm, attributeText, jsonText } from "../../format/attribute";
import { nanos } from "../../format/duration";
import { formatLogTime, formatNanos } from "../../format/instant";
import type { Severity } from "../../format/severity";
import { SENT_SEVERITIES, SEVERITIES, severityOf } from "../../format/severity";
import { useMessages } from "../../i18n";
import { QueryBox } from "../../query/box";
import { attributeKey, conjunction, narrowed, term } from "../../query/compose";
import { ServiceSelect } from "../../query/service-select";
import { paths } from "../registry";
import { PageTitle } from "../../shell/top-bar";
import { useTime } from "../../time/context";
import { Icon } from "../../ui/icon";
import { AttributeSection, OriginSections } from "../../ui/origin";
import { Pair } from "../../ui/pairs";
import { Select } from "../../ui/select";
import { ServiceName } from "../../ui/service";
import { CopyButton, cssVars } from "../../ui/small";
import { useShortcuts } from "../../ui/shortcuts";
import { Empty, ErrorNote, ErrorState, SkeletonRows } from "../../ui/states";
import { useLinkTo, useParam, useSetParams } from "../../url/params";

const PAGE_SIZE = 200;
const ROW_HEIGHT = 29;

function severityVar(severity: Severity): string {
  return `--severity-${severity.toLowerCase()}`;
}

/** Words need more contrast than bars. */
const SEVERITY_TEXT: Partial<Record<Severity, string>> = { FATAL: "--severity-fatal", ERROR: "--error", WARN: "--warn" };

export default function LogsPage(): ReactNode {
  const { logs } = useMessages();
  const setParams = useSetParams();
  const [service, severity, text] = [useParam("service"), useParam("severity").toUpperCase(), useParam("query")];
  const query = useMemo(
    () => conjunction(service && term("service", "=", service), severity && `severity>=${severity.toLowerCase()}`, text),
    [service, severity, text],
  );
  const histogram = useTimedQuery("/api/v1/logs/histogram", { query: { query } });
  const { query: search, items } = usePagedQuery("/api/v1/logs", { query: { query, limit: PAGE_SIZE } }, (page) => page.logs);
  return (
    <div className="page page-fill">
      <PageTitle text={logs.title} />
      <div className="toolbar">
        <ServiceSelect />
        <Select
          label={logs.severity}
          value={severity}
          options={SENT_SEVERITIES.map((value) => ({ value, label: `≥ ${logs.severities[value] ?? value}` }))}
          placeholder={logs.severity}
          clearable
          onChange={(value) => setParams({ severity: value })}
        />
        <QueryBox signal="logs" problem={search.error} />
      </div>
      {(histogram.data ?? !histogram.error) && (
        <section className="card">
          <div className="card-head">
            <h2>{logs.histogram}</h2>
            <span className="hint">{search.data && logs.results(items.length, search.hasNextPage)}</span>
          </div>
          <div className="card-body">{histogram.data ? <Histogram histogram={histogram.data} /> : <SkeletonRows rows={3} />}</div>
        </section>
      )}
      {search.isPending && <SkeletonRows rows={12} />}
      {search.error && items.length === 0 && search.error.queryPosition === null && (
        <ErrorState error={search.error} onRetry={() => void search.refetch()} />
      )}
      {search.error && items.length > 0 && <ErrorNote error={search.error} onRetry={() => void search.refetch()} />}
      {search.data && items.length === 0 && <Empty icon="logs" title={logs.emptyTitle} detail={logs.emptyDetail} />}
      {items.length > 0 && (
        <Rows
          items={items}
          more={search.hasNextPage}
          loading={search.isFetchingNextPage}
          onMore={() => void search.fetchNextPage()}
        />
      )}
    </div>
  );
}

function Histogram({ histogram }: { histogram: LogHistogram }): ReactNode {
  const { logs } = useMessages();
  const timesMs = useMemo(() => histogram.time_unix_nano.map((at) => Number(BigInt(at) / 1_000_000n)), [histogram]);
  const series = useMemo(
    () =>
      SEVERITIES.flatMap((severity) => {
        const values = histogram.series[severity];
        return values?.some((count) => count > 0) ? [{ label: logs.severities[severity] ?? severity, color: severityVar(severity), values }] : [];
      }),
    [histogram, logs],
  );
  return <StackedBars timesMs={timesMs} stepMs={histogram.step_seconds * 1000} series={series} label={logs.histogram} />;
}

interface RowsProps {
  items: readonly LogRecord[];
  more: boolean;
  loading: boolean;
  onMore: () => void;
}

function Rows({ items, more, loading, onMore }: RowsProps): ReactNode {
  const { logs, common } = useMessages();
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const [active, setActive] = useState(-1);
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: items.length + 1,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
  });
  const last = virtual.getVirtualItems().at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && !loading && last >= items.length) onMore();
  }, [more, loading, last, items.length, onMore]);
  const toggle = (index: number): void =>
    setOpen((before) => {
      const after = new Set(before);
      if (!after.delete(index)) after.add(index);
      return after;
    });
  const move = (step: number): void => {
    const next = Math.max(0, Math.min(items.length - 1, active + step));
    setActive(next);
    virtual.scrollToIndex(next, { align: "auto" });
  };
  useShortcuts({
    j: () => move(1),
    k: () => move(-1),
    Enter: () => {
      if (active >= 0) toggle(active);
    },
    Escape: () => setOpen(new Set()),
  });
  return (
    <div ref={scroller} className="list card" role="list" aria-label={logs.title}>
      <div className="list-rows" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const record = items[item.index];
          return (
            <div
              key={item.key}
              ref={virtual.measureElement}
              data-index={item.index}
              className="list-row"
              role="listitem"
              style={{ transform: `translateY(${item.start}px)` }}
            >
              {record ? (
                <>
                  <LogRow record={record} open={open.has(item.index)} active={active === item.index} onToggle={() => toggle(item.index)} />
                  {open.has(item.index) && <LogDetail record={record} />}
                </>
              ) : (
                <p className="load-more">{more ? <span className="spinner" /> : common.end}</p>
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function LogRow({ record, open, active, onToggle }: { record: LogRecord; open: boolean; active: boolean; onToggle: () => void }): ReactNode {
  const { logs } = useMessages();
  const { zone } = useTime();
  const severity = severityOf(record.severity_number);
  const [date, clock] = formatLogTime(recordTime(record), zone).split(" ");
  const body = record.body === null ? logs.noBody : attributeText(record.body);
  return (
    <button
      type="button"
      className="log-row"
      aria-expanded={open}
      data-active={active}
      data-severity={severity}
      onClick={onToggle}
      style={cssVars({ "--severity": `var(${severityVar(severity)})`, "--severity-text": `var(${SEVERITY_TEXT[severity] ?? "--text-2"})` })}
    >
      <span className="log-severity" />
      <span className="mono muted">
        <span className="log-date">{date} </span>
        {clock}
      </span>
      <span className="log-level">{record.severity_text || logs.severities[severity]}</span>
      <span className="log-service truncate">
        <ServiceName service={record.service} />
      </span>
      <span className="log-body mono">{body}</span>
    </button>
  );
}

function recordTime(record: LogRecord): bigint {
  const own = nanos(record.time_unix_nano);
  return own > 0n ? own : nanos(record.observed_time_unix_nano);
}

function LogDetail({ record }: { record: LogRecord }): ReactNode {
  const { logs } = useMessages();
  const { zone } = useTime();
  const linkTo = useLinkTo();
  const text = typeof record.body === "string" ? record.body : jsonText(record.body, " ");
  return (
    <div className="log-detail">
      <pre className="mono">{record.body === null ? logs.noBody : text}</pre>
      <div className="toolbar">
        {record.trace_id && (
          <Link className="button button-small" to={linkTo(paths.trace(record.trace_id), { span: record.span_id || null })}>
            <Icon name="traces" />
            {logs.openTrace}
          </Link>
        )}
        <CopyButton text={text} />
      </div>
      <div className="log-fields">
        <section className="section">
          <h3>{logs.record}</h3>
          <dl className="pairs">
            <Pair name={logs.time} text={formatNanos(recordTime(record), zone)} />
            {record.observed_time_unix_nano !== "0" && (
              <Pair name={logs.observed} text={formatNanos(nanos(record.observed_time_unix_nano), zone)} />
            )}
            {record.event_name && <Pair name={logs.event} text={record.event_name} />}
            {record.trace_id && <Pair name="trace_id" text={record.trace_id} />}
            {record.span_id && <Pair name="span_id" text={record.span_id} />}
            <Pair name={logs.severity} text={record.severity_text} />
            <Pair name={logs.severityNumber} text={String(record.severity_number)} />
            <Pair name={logs.flags} text={`0x${record.flags.toString(16)}`} />
          </dl>
        </section>
        {(Object.keys(record.attributes).length > 0 || record.dropped_attributes_count > 0) && (
          <AttributeSection
            title={logs.attributes}
            attributes={record.attributes}
            dropped={record.dropped_attributes_count}
            actions={(key, value) => <Narrow name={attributeKey(key, "record")} value={value} />}
          />
        )}
        <OriginSections of={record} actions={(key, value) => <Narrow name={attributeKey(key, "resource")} value={value} />} />
      </div>
    </div>
  );
}

function Narrow({ name, value }: { name: string; value: AttributeValue }): ReactNode {
  const { logs } = useMessages();
  const query = useParam("query");
  const setParams = useSetParams();
  const only = attributeTerm(name, "=", value);
  if (only === null) return null;
  const choices = [
    { icon: "filter" as const, label: logs.only, extra: only },
    { icon: "filterOut" as const, label: logs.without, extra: `NOT ${only}` },
  ];
  return choices.map(({ icon, label, extra }) => (
    <button
      key={icon}
      type="button"
      className="button button-quiet button-icon button-small"
      aria-label={label}
      data-tip={label}
      onClick={() => setParams({ query: narrowed(query, extra) })}
    >
      <Icon name={icon} />
    </button>
  ));
}
