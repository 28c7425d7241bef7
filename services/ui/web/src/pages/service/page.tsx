import type { ReactNode } from "react";
import { useCallback, useMemo } from "react";
import { Link, useNavigate } from "react-router";
import type { Operation, ServiceDetail } from "../../api/schema";
import { useTimedQuery } from "../../api/use-api";
import { ChartFrame } from "../../charts/frame";
import type { ChartLine } from "../../charts/line-chart";
import { LineChart } from "../../charts/line-chart";
import { formatDuration, formatDurationTick } from "../../format/duration";
import { formatCompact, formatRate, formatRatio, rateUnit } from "../../format/number";
import { useLocale, useMessages } from "../../i18n";
import { conjunction, term } from "../../query/compose";
import { Page } from "../../shell/page";
import { useTime } from "../../time/context";
import type { Asking } from "../../ui/answer";
import { Answer } from "../../ui/answer";
import { Icon } from "../../ui/icon";
import { ServiceName } from "../../ui/service";
import { FilterField } from "../../ui/small";
import { Empty } from "../../ui/states";
import type { Column } from "../../ui/table";
import { Table } from "../../ui/table";
import { useLinkTo, useParam, useSetParams } from "../../url/params";
import { ofService, paths } from "../registry";
import { rates } from "../services/rates";

const ROW_HEIGHT = 38;

export default function ServicePage(): ReactNode {
  const service = useParam("name");
  const { service: texts } = useMessages();
  const linkTo = useLinkTo();
  const detail = useTimedQuery("/api/v1/service", { query: { name: service } });
  const p95 = detail.data ? Number(detail.data.p95_nano) : 0;
  return (
    <Page
      id="service"
      about={service}
      heading={<ServiceName service={service} />}
      parent="services"
      filters={
        <>
          <Link className="button" to={linkTo(paths.traces, ofService(service))}>
            <Icon name="traces" />
            {texts.viewTraces}
          </Link>
          <Link className="button" to={linkTo(paths.traces, { ...ofService(service), status: "error" })}>
            <Icon name="error" />
            {texts.viewErrors}
          </Link>
          <Link className="button" to={linkTo(paths.traces, { ...ofService(service), min: p95 > 0 ? formatDuration(p95).replace(/\s/g, "") : null })}>
            <Icon name="clock" />
            {texts.viewSlow}
          </Link>
          <Link className="button" to={linkTo(paths.logs, ofService(service))}>
            <Icon name="logs" />
            {texts.viewLogs}
          </Link>
          <Link className="button" to={linkTo(paths.metrics, { service })}>
            <Icon name="metrics" />
            {texts.viewMetrics}
          </Link>
        </>
      }
    >
      {detail.error?.status === 404 ? (
        <Empty icon="services" title={texts.notFound} detail={texts.notFoundDetail} />
      ) : (
        <>
          <Charts query={detail} />
          <Operations service={service} />
        </>
      )}
    </Page>
  );
}

function Charts({ query }: { query: Asking & { data: ServiceDetail | undefined } }): ReactNode {
  const { red, common } = useMessages();
  const locale = useLocale();
  const { interval } = useTime();
  const detail = query.data;
  const perSecond = useMemo(() => (detail ? rates(detail.series, detail.step_seconds, interval.toMs) : []), [detail, interval]);
  const highest = Math.max(detail?.request_rate ?? 0, ...perSecond.map((value) => value ?? 0));
  const unit = useMemo(() => rateUnit(highest, common), [highest, common]);
  const inUnit = useCallback((value: number) => `${formatCompact(value, locale)}${unit.suffix}`, [locale, unit]);
  const ratio = useCallback((value: number) => formatRatio(value, locale), [locale]);
  const rate = (): ChartLine[] => [
    { label: red.rate, color: "--accent", filled: true, values: perSecond.map((value) => value && value * unit.factor) },
  ];
  const errors = ({ series }: ServiceDetail): ChartLine[] => [
    {
      label: red.errorRate, color: "--error-solid", filled: true,
      values: series.request_count.map((count, index) => (count > 0 ? (series.error_count[index] ?? 0) / count : null)),
    },
  ];
  const durations = ({ series }: ServiceDetail): ChartLine[] => {
    const measured = (values: readonly (string | null)[]): (number | null)[] =>
      values.map((value, index) => (series.request_count[index] ? Number(value) : null));
    return [
      { label: red.p99, color: "--cat-3", values: measured(series.p99_nano) },
      { label: red.p95, color: "--cat-2", values: measured(series.p95_nano) },
      { label: red.p50, color: "--cat-0", values: measured(series.p50_nano) },
    ];
  };
  return (
    <div className="cards-3">
      <RedChart query={query} title={red.rate} figure={detail && formatRate(detail.request_rate, unit, locale)} lines={rate} format={inUnit} />
      <RedChart query={query} title={red.errorRate} figure={detail && ratio(detail.error_rate)} lines={errors} format={ratio} />
      <RedChart
        query={query}
        title={red.duration}
        figure={detail && `${red.p95} ${formatDuration(detail.p95_nano)}`}
        lines={durations}
        format={formatDurationTick}
      />
    </div>
  );
}

interface RedChartProps {
  query: Asking & { data: ServiceDetail | undefined };
  title: string;
  figure: string | undefined;
  lines: (detail: ServiceDetail) => ChartLine[];
  format: (value: number) => string;
}

function RedChart({ query, title, figure, lines, format }: RedChartProps): ReactNode {
  const { red } = useMessages();
  return (
    <ChartFrame
      title={title}
      figure={<span className="muted">{figure}</span>}
      end={<span className="hint-on-hover">{red.dragHint}</span>}
      query={query}
      legend={lines}
    >
      {({ series, ...detail }, hidden) => (
        <LineChart
          timesMs={series.time_unix_nano.map((at) => Number(BigInt(at) / 1_000_000n))}
          lines={lines({ series, ...detail }).filter(({ label }) => !hidden.has(label))}
          format={format}
          label={title}
          syncKey="service"
        />
      )}
    </ChartFrame>
  );
}

function Operations({ service }: { service: string }): ReactNode {
  const messages = useMessages();
  const { red, common } = messages;
  const locale = useLocale();
  const linkTo = useLinkTo();
  const navigate = useNavigate();
  const setParams = useSetParams();
  const filter = useParam("filter");
  const query = useTimedQuery("/api/v1/service/operations", { query: { name: service } });
  const linkOf = (one: Operation): string => linkTo(paths.traces, operationQuery(service, one.operation));
  const columns: Column<Operation>[] = [
    {
      id: "operation",
      title: common.operation,
      sort: (one) => one.operation,
      className: "cell-main truncate",
      cell: (one) => <Link to={linkOf(one)}>{one.operation}</Link>,
    },
    {
      id: "kind",
      title: messages.service.kind,
      sort: (one) => String(one.kind),
      width: "110px",
      className: "cell-wide",
      cell: (one) => <span className="badge">{messages.trace.kindNames[one.kind] ?? one.kind}</span>,
    },
    { id: "requests", title: red.requests, sort: (one) => one.request_count, numeric: true, width: "11%", cell: (one) => formatCompact(one.request_count, locale) },
    {
      id: "errors",
      title: red.errorRate,
      sort: (one) => one.error_rate,
      numeric: true,
      width: "11%",
      cell: (one) => <span className={one.error_count > 0 ? "text-error" : "muted"}>{formatRatio(one.error_rate, locale)}</span>,
    },
    { id: "p50", title: red.p50, sort: (one) => Number(one.p50_nano), numeric: true, width: "11%", className: "cell-wide", cell: (one) => formatDuration(one.p50_nano) },
    { id: "p95", title: red.p95, sort: (one) => Number(one.p95_nano), numeric: true, width: "11%", cell: (one) => formatDuration(one.p95_nano) },
    { id: "p99", title: red.p99, sort: (one) => Number(one.p99_nano), numeric: true, width: "11%", className: "cell-wide", cell: (one) => formatDuration(one.p99_nano) },
  ];
  const wanted = filter.normalize("NFC").toLowerCase();
  return (
    <section className="stack" aria-label={messages.service.operations}>
      <div className="toolbar section-head">
        <h2>{messages.service.operations}</h2>
        <FilterField
          className="toolbar-end"
          value={filter}
          label={messages.service.filter}
          shortcut
          onChange={(text) => setParams({ filter: text }, { replace: true })}
        />
      </div>
      <Answer query={query}>
        {({ operations }) => (
          <Table
            label={messages.service.operations}
            rows={operations.filter((one) => one.operation.normalize("NFC").toLowerCase().includes(wanted))}
            columns={columns}
            keyOf={(one) => `${one.kind} ${one.operation}`}
            rowHeight={ROW_HEIGHT}
            sortedBy="requests"
            onOpen={(one) => void navigate(linkOf(one))}
            empty={messages.service.none}
          />
        )}
      </Answer>
    </section>
  );
}

function operationQuery(service: string, operation: string): Record<string, string> {
  const { query = "", ...own } = ofService(service);
  return { ...own, query: conjunction(query, term("operation", "=", operation)) };
}
