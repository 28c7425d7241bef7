import type { ReactNode } from "react";
import { useCallback, useMemo, useState } from "react";
import { Link, useNavigate } from "react-router";
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
import { doesNotParse } from "../../api/problem";
import { ChartFrame } from "../../charts/frame";
import { Page } from "../../shell/page";
import { Answer } from "../../ui/answer";
import type { Column } from "../../ui/table";
import { Table } from "../../ui/table";
import { useTime } from "../../time/context";
import { absolute } from "../../time/range";
import { Icon } from "../../ui/icon";
import { Select } from "../../ui/select";
import { ServiceName } from "../../ui/service";
import { Segmented } from "../../ui/segmented";
import {  cssVars } from "../../ui/small";
import { Tip } from "../../ui/tip";
import { Empty } from "../../ui/states";
import { useLinkTo, useParam, useSetParams } from "../../url/params";
import "./page.css";

const PAGE_SIZE = 50;
const ROW_HEIGHT = 63;

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
  const { traces } = useMessages();
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
    <Page
      id="traces"
      filters={
        <>
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
        </>
      }
      search={<QueryBox signal="traces" problem={search.error} />}
    >
      {!doesNotParse(heat.error) && (
        <ChartFrame title={traces.heatTitle} end={traces.heatHint} rows={4} query={heat}>
          {(map) => <Heat map={map} formatCell={formatCell} />}
        </ChartFrame>
      )}
      <Answer
        query={search}
        rows={10}
        unless={doesNotParse}
        empty={{
          is: () => items.length === 0 && !search.hasNextPage,
          show: <Empty icon="traces" title={traces.emptyTitle} detail={traces.emptyDetail} />,
        }}
      >
        {() => (
          <Results
            items={items}
            more={{ wanted: search.hasNextPage, loading: search.isFetchingNextPage, load: () => void search.fetchNextPage() }}
          />
        )}
      </Answer>
    </Page>
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
  const query = useTimedQuery("/api/v1/service/operations", { query: { name: service } }, service !== "");
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
    <label className="field" data-invalid={invalid} style={{ width: 118 }}>
      <span className="muted">{label}</span>
      <Tip text={traces.badDuration} off={!invalid}>
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
      </Tip>
    </label>
  );
}

function Results({ items, more }: { items: readonly TraceSummary[]; more: { wanted: boolean; loading: boolean; load: () => void } }): ReactNode {
  const { traces, red } = useMessages();
  const { zone } = useTime();
  const linkTo = useLinkTo();
  const navigate = useNavigate();
  const longest = items.reduce((most, one) => Math.max(most, Number(one.duration_nano)), 1);
  const linkOf = (one: TraceSummary): string => linkTo(paths.trace(one.trace_id));
  const columns: Column<TraceSummary>[] = [
    {
      id: "trace",
      title: traces.trace,
      className: "cell-main",
      cell: (one) => (
        <>
          <Link className="trace-title" to={linkOf(one)}>
            {one.root_service && <ServiceName service={one.root_service} />}
            <span className="truncate">{one.root_name || traces.noRoot}</span>
            {one.error_count > 0 && (
              <span className="badge badge-error">
                <Icon name="error" />
                {traces.errors(one.error_count)}
              </span>
            )}
          </Link>
          <Shares trace={one} />
        </>
      ),
    },
    {
      id: "duration",
      title: red.duration,
      numeric: true,
      width: "120px",
      cell: (one) => (
        <span className="duration-bar" data-failed={one.error_count > 0}>
          {formatDuration(one.duration_nano)}
          <i style={cssVars({ "--share": `${(Number(one.duration_nano) / longest) * 100}%` })} />
        </span>
      ),
    },
    {
      id: "start",
      title: traces.started,
      numeric: true,
      width: "170px",
      className: "muted cell-wide",
      cell: (one) => formatDateTime(Number(nanos(one.start_time_unix_nano) / 1_000_000n), zone),
    },
  ];
  return (
    <section className="stack" aria-label={traces.results(items.length, more.wanted)}>
      <h2 className="section-head">{traces.results(items.length, more.wanted)}</h2>
      <Table
        label={traces.results(items.length, more.wanted)}
        rows={items}
        columns={columns}
        keyOf={(one) => one.trace_id}
        rowHeight={ROW_HEIGHT}
        onOpen={(one) => void navigate(linkOf(one))}
        more={more}
      />
    </section>
  );
}

/** How many spans each service has in the trace. */
function Shares({ trace }: { trace: TraceSummary }): ReactNode {
  const { traces } = useMessages();
  const locale = useLocale();
  return (
    <span className="trace-chips">
      <span className="badge">{traces.spans(trace.span_count)}</span>
      {trace.services.slice(0, 8).map((one) => (
        <span key={one.service} className={`badge ${one.error_count > 0 ? "badge-error" : ""}`}>
          <ServiceName service={one.service} />
          {formatCompact(one.span_count, locale)}
        </span>
      ))}
      {trace.services.length > 8 && <span className="badge">+{trace.services.length - 8}</span>}
    </span>
  );
}
