import type { ReactNode } from "react";
import { useMemo } from "react";
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
import { doesNotParse } from "../../api/problem";
import { ChartFrame } from "../../charts/frame";
import { Page, useTitle } from "../../shell/page";
import type { Zone } from "../../time/zone";
import type { Asking } from "../../ui/answer";
import { Answer } from "../../ui/answer";
import type { Column } from "../../ui/table";
import { Table } from "../../ui/table";
import { useTime } from "../../time/context";
import { IconButton } from "../../ui/button";
import { Icon } from "../../ui/icon";
import { AttributeSection, OriginSections } from "../../ui/origin";
import { Pair } from "../../ui/pairs";
import { Select } from "../../ui/select";
import { ServiceName } from "../../ui/service";
import { CopyButton, cssVars } from "../../ui/small";
import { Empty } from "../../ui/states";
import { useLinkTo, useParam, useSetParams } from "../../url/params";
import "./page.css";

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
    <Page
      id="logs"
      fill
      search={
        <>
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
        </>
      }
    >
      {!doesNotParse(histogram.error) && (
        <Histogram query={histogram} shown={search.data && logs.results(items.length, search.hasNextPage)} />
      )}
      <Answer
        query={search}
        rows={12}
        unless={doesNotParse}
        empty={{
          is: () => items.length === 0 && !search.hasNextPage,
          show: <Empty icon="logs" title={logs.emptyTitle} detail={logs.emptyDetail} />,
        }}
      >
        {() => (
          <Records
            items={items}
            more={{ wanted: search.hasNextPage, loading: search.isFetchingNextPage, load: () => void search.fetchNextPage() }}
          />
        )}
      </Answer>
    </Page>
  );
}

interface HistogramProps {
  query: Asking & { data: LogHistogram | undefined };
  shown: string | undefined;
}

function Histogram({ query, shown }: HistogramProps): ReactNode {
  const { logs } = useMessages();
  const series = useMemo(
    () =>
      SEVERITIES.flatMap((severity) => {
        const values = query.data?.series[severity];
        return values?.some((count) => count > 0) ? [{ label: logs.severities[severity] ?? severity, color: severityVar(severity), values }] : [];
      }),
    [query.data, logs],
  );
  return (
    <ChartFrame title={logs.histogram} end={shown} rows={3} query={query} legend={() => series}>
      {(histogram, hidden) => (
        <StackedBars
          timesMs={histogram.time_unix_nano.map((at) => Number(BigInt(at) / 1_000_000n))}
          stepMs={histogram.step_seconds * 1000}
          series={series.filter(({ label }) => !hidden.has(label))}
          label={logs.histogram}
        />
      )}
    </ChartFrame>
  );
}

interface RecordsProps {
  items: readonly LogRecord[];
  more: { wanted: boolean; loading: boolean; load: () => void };
}

function Records({ items, more }: RecordsProps): ReactNode {
  const { logs, common } = useMessages();
  const title = useTitle("logs");
  const { zone } = useTime();
  const columns: Column<LogRecord>[] = [
    { id: "time", title: logs.time, width: "190px", className: "log-time mono muted", cell: (record) => <Moment at={recordTime(record)} zone={zone} /> },
    {
      id: "severity",
      title: logs.severity,
      width: "72px",
      className: "log-level cell-wide",
      cell: (record) => record.severity_text || logs.severities[severityOf(record.severity_number)],
    },
    { id: "service", title: common.service, width: "150px", className: "cell-wide", cell: (record) => <ServiceName service={record.service} /> },
    {
      id: "body",
      title: logs.body,
      className: "log-body mono",
      cell: (record) => (record.body === null ? logs.noBody : attributeText(record.body)),
    },
  ];
  return (
    <Table
      label={title}
      className="table-logs"
      rows={items}
      columns={columns}
      keyOf={(_, index) => String(index)}
      rowHeight={ROW_HEIGHT}
      rowAttributes={(record) => {
        const severity = severityOf(record.severity_number);
        return {
          className: "log-row",
          "data-severity": severity,
          style: cssVars({ "--severity": `var(${severityVar(severity)})`, "--severity-text": `var(${SEVERITY_TEXT[severity] ?? "--text-2"})` }),
        };
      }}
      detail={(record) => <LogDetail record={record} />}
      fill
      more={more}
    />
  );
}

function Moment({ at, zone }: { at: bigint; zone: Zone }): ReactNode {
  const [date, clock] = formatLogTime(at, zone).split(" ");
  return (
    <>
      <span className="log-date">{date} </span>
      {clock}
    </>
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
    <IconButton
      key={icon}
      icon={icon}
      label={label}
      className="button-quiet button-small"
      onClick={() => setParams({ query: narrowed(query, extra) })}
    />
  ));
}
