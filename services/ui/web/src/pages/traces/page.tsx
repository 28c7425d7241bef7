import type { ReactNode } from "react";
import { useCallback, useMemo, useState } from "react";
import { Link } from "react-router";
import type { DurationHeatMap, TraceSummary } from "../../api/schema";
import { usePagedQuery, useTimedQuery } from "../../api/use-api";
import { HeatMap } from "../../charts/heat-map";
import { durationTerm, formatDuration, formatDurationTick, nanos, parseDuration } from "../../format/duration";
import { formatDateTime } from "../../format/instant";
import { formatCompact, formatCount } from "../../format/number";
import { useLocale, useMessages } from "../../i18n";
import { QueryBox } from "../../query/box";
import { conjunction, term } from "../../query/compose";
import { ServiceSelect } from "../../query/service-select";
import { paths } from "../registry";
import { PageTitle } from "../../shell/top-bar";
import { useTime } from "../../time/context";
import { absolute } from "../../time/range";
import { Icon } from "../../ui/icon";
import { Select } from "../../ui/select";
import { ServiceName } from "../../ui/service";
import { Segmented, cssVars } from "../../ui/small";
import { Empty, ErrorNote, ErrorState, SkeletonRows } from "../../ui/states";
import { useLinkTo, useParam, useSetParams } from "../../url/params";

const PAGE_SIZE = 50;

/** Filters and box text as one query of the language. */
function useTraceQuery(): string {
  const [service, operation, status, min, max, text] = [
    useParam("service"), useParam("operation"), useParam("status"), useParam("min"), useParam("max"), useParam("query"),
  ];
  return useMemo(() => {
    const bound = (value: string, operator: ">=" | "<="): string => {
      const ns = parseDuration(value);
      return ns === null ? "" : `duration${operator}${durationTerm(ns)}`;
    };
    return conjunction(
      service && term("service", "=", service),
      operation && term("operation", "=", operation),
      status && `status=${status}`,
      bound(min, ">="),
      bound(max, "<="),
      text,
    );
  }, [service, operation, status, min, max, text]);
}

export default function TracesPage(): ReactNode {
  const messages = useMessages();
  const { traces } = messages;
  const locale = useLocale();
  const setParams = useSetParams();
  const status = useParam("status");
  const query = useTraceQuery();
  const heat = useTimedQuery("/api/v1/traces/durations", { query: { query } });
  const { query: search, items } = usePagedQuery("/api/v1/traces", { query: { query, limit: PAGE_SIZE } }, (page) => page.traces);
  const formatCell = useCallback(
    (count: number, errors: number) => traces.heatCell(formatCount(count, locale), formatCount(errors, locale)),
    [traces, locale],
  );
  return (
    <div className="page">
      <PageTitle text={traces.title} />
      <div className="toolbar">
        <ServiceSelect />
        <OperationSelect />
        <Segmented
          label={traces.status}
          value={status}
          choices={[
            { value: "", label: traces.anyStatus },
            { value: "error", label: traces.failed },
            { value: "ok", label: traces.ok },
          ]}
          onChange={(value) => setParams({ status: value })}
        />
        <DurationField name="min" label={traces.minDuration} />
        <DurationField name="max" label={traces.maxDuration} />
      </div>
      <div className="toolbar">
        <QueryBox signal="traces" problem={search.error} />
      </div>
      {(heat.data ?? !heat.error) && (
        <section className="card">
          <div className="card-head">
            <h2>{traces.heatTitle}</h2>
            <span className="hint">{traces.heatHint}</span>
          </div>
          <div className="card-body">{heat.data ? <Heat map={heat.data} formatCell={formatCell} /> : <SkeletonRows rows={4} />}</div>
        </section>
      )}
      {search.error && items.length === 0 && search.error.queryPosition === null && (
        <ErrorState error={search.error} onRetry={() => void search.refetch()} />
      )}
      {search.error && items.length > 0 && <ErrorNote error={search.error} onRetry={() => void search.refetch()} />}
      {search.isPending && <SkeletonRows rows={10} />}
      {search.data && items.length === 0 && <Empty icon="traces" title={traces.emptyTitle} detail={traces.emptyDetail} />}
      {items.length > 0 && <Results items={items} more={search.hasNextPage} />}
      {search.hasNextPage && (
        <button type="button" className="button" disabled={search.isFetchingNextPage} onClick={() => void search.fetchNextPage()}>
          {search.isFetchingNextPage && <span className="spinner" />}
          {messages.common.loadMore}
        </button>
      )}
    </div>
  );
}

function Heat({ map, formatCell }: { map: DurationHeatMap; formatCell: (count: number, errors: number) => string }): ReactNode {
  const { traces } = useMessages();
  const setParams = useSetParams();
  const timesMs = useMemo(() => map.time_unix_nano.map((at) => Number(BigInt(at) / 1_000_000n)), [map]);
  const bounds = useMemo(() => map.duration_bounds_nano.map(Number), [map]);
  return (
    <HeatMap
      timesMs={timesMs}
      stepMs={map.step_seconds * 1000}
      bounds={bounds}
      counts={map.counts}
      errorCounts={map.error_counts}
      formatBound={formatDurationTick}
      decades
      formatCell={formatCell}
      label={traces.heatTitle}
      onSelect={(fromMs, toMs, values) => {
        const duration = (value: number | undefined): string | null =>
          value !== undefined && Number.isFinite(value) && value > 0 ? durationTerm(value) : null;
        setParams({ ...absolute(fromMs, toMs), ...(values ? { min: duration(values.low), max: duration(values.high) } : {}) });
      }}
    />
  );
}

function OperationSelect(): ReactNode {
  const { common } = useMessages();
  const service = useParam("service");
  const operation = useParam("operation");
  const setParams = useSetParams();
  const query = useTimedQuery("/api/v1/services/{service}/operations", { path: { service } }, service !== "");
  const names = [...new Set((query.data?.operations ?? []).map((one) => one.operation))].sort();
  return (
    <Select
      label={common.operation}
      value={operation}
      options={names.map((name) => ({ value: name, label: name }))}
      placeholder={common.anyOperation}
      disabled={service === ""}
      clearable
      onChange={(value) => setParams({ operation: value })}
    />
  );
}

function DurationField({ name, label }: { name: "min" | "max"; label: string }): ReactNode {
  const { traces } = useMessages();
  const applied = useParam(name);
  const setParams = useSetParams();
  const [text, setText] = useState(applied);
  const [from, setFrom] = useState(applied);
  if (from !== applied) {
    setFrom(applied);
    setText(applied);
  }
  const invalid = text !== "" && parseDuration(text) === null;
  const apply = (): void => {
    if (!invalid) setParams({ [name]: text });
  };
  return (
    <label className="field" data-invalid={invalid} data-tip={invalid ? traces.badDuration : undefined} style={{ width: 118 }}>
      <span className="muted">{label}</span>
      <input
        value={text}
        placeholder={traces.durationPlaceholder}
        aria-invalid={invalid}
        onChange={(event) => setText(event.target.value)}
        onBlur={apply}
        onKeyDown={(event) => {
          if (event.key === "Enter") apply();
        }}
      />
    </label>
  );
}

function Results({ items, more }: { items: readonly TraceSummary[]; more: boolean }): ReactNode {
  const { traces } = useMessages();
  const longest = items.reduce((most, one) => Math.max(most, Number(one.duration_nano)), 1);
  return (
    <section className="card">
      <div className="card-head">
        <h2>{traces.results(items.length, more)}</h2>
      </div>
      <ul>
        {items.map((one) => (
          <Result key={one.trace_id} trace={one} longest={longest} />
        ))}
      </ul>
    </section>
  );
}

function Result({ trace, longest }: { trace: TraceSummary; longest: number }): ReactNode {
  const { traces } = useMessages();
  const locale = useLocale();
  const { zone } = useTime();
  const linkTo = useLinkTo();
  return (
    <li>
      <Link className="trace-item" to={linkTo(paths.trace(trace.trace_id))}>
        <span className="trace-item-title">
          {trace.root_service && <ServiceName service={trace.root_service} />}
          <span className="truncate">{trace.root_name || traces.noRoot}</span>
          {trace.error_count > 0 && (
            <span className="badge badge-error">
              <Icon name="error" />
              {traces.errors(trace.error_count)}
            </span>
          )}
        </span>
        <span className="duration-bar" data-failed={trace.error_count > 0}>
          {formatDuration(trace.duration_nano)}
          <i style={cssVars({ "--share": `${(Number(trace.duration_nano) / longest) * 100}%` })} />
        </span>
        <span className="number muted">{formatDateTime(Number(nanos(trace.start_time_unix_nano) / 1_000_000n), zone)}</span>
        <span className="trace-item-chips">
          <span className="badge">{traces.spans(trace.span_count)}</span>
          {trace.services.slice(0, 8).map((one) => (
            <span key={one.service} className={`badge ${one.error_count > 0 ? "badge-error" : ""}`}>
              <ServiceName service={one.service} />
              {formatCompact(one.span_count, locale)}
            </span>
          ))}
          {trace.services.length > 8 && <span className="badge">+{trace.services.length - 8}</span>}
        </span>
      </Link>
    </li>
  );
}
