import type { ReactNode } from "react";
import { useCallback, useMemo } from "react";
import { Link } from "react-router";
import type { Operation, ServiceDetail } from "../../api/schema";
import { useTimedQuery } from "../../api/use-api";
import type { ChartLine } from "../../charts/line-chart";
import { LineChart } from "../../charts/line-chart";
import { formatDuration, formatDurationTick } from "../../format/duration";
import { formatCompact, formatRate, formatRatio, rateUnit } from "../../format/number";
import { useLocale, useMessages } from "../../i18n";
import { conjunction, term } from "../../query/compose";
import { ofService, paths } from "../registry";
import { PageTitle } from "../../shell/top-bar";
import { useTime } from "../../time/context";
import { Icon } from "../../ui/icon";
import { ServiceName } from "../../ui/service";
import { FilterField } from "../../ui/small";
import { Empty, ErrorState, SkeletonRows } from "../../ui/states";
import { useLinkTo, useParam, useSetParams } from "../../url/params";
import { rates } from "../services/rates";
import { SortHead, sorted, useSort } from "../services/sort";

export default function ServicePage(): ReactNode {
  const service = useParam("name");
  const messages = useMessages();
  const linkTo = useLinkTo();
  const detail = useTimedQuery("/api/v1/services/{service}", { path: { service } });
  const p95 = detail.data ? Number(detail.data.p95_nano) : 0;
  return (
    <div className="page">
      <PageTitle text={service}>
        <Link to={linkTo(paths.services)} className="muted" aria-label={messages.service.all}>
          <Icon name="chevronLeft" />
        </Link>
        <ServiceName service={service} />
      </PageTitle>
      <div className="toolbar">
        <Link className="button" to={linkTo(paths.traces, ofService(service))}>
          <Icon name="traces" />
          {messages.service.viewTraces}
        </Link>
        <Link className="button" to={linkTo(paths.traces, { ...ofService(service), status: "error" })}>
          <Icon name="error" />
          {messages.service.viewErrors}
        </Link>
        <Link className="button" to={linkTo(paths.traces, { ...ofService(service), min: p95 > 0 ? formatDuration(p95).replace(/\s/g, "") : null })}>
          <Icon name="clock" />
          {messages.service.viewSlow}
        </Link>
        <Link className="button" to={linkTo(paths.logs, ofService(service))}>
          <Icon name="logs" />
          {messages.service.viewLogs}
        </Link>
        <Link className="button" to={linkTo(paths.metrics, { service })}>
          <Icon name="metrics" />
          {messages.service.viewMetrics}
        </Link>
      </div>
      {detail.isPending && <SkeletonRows />}
      {detail.error &&
        (detail.error.status === 404 ? (
          <Empty icon="services" title={messages.service.notFound} detail={messages.service.notFoundDetail} />
        ) : (
          <ErrorState error={detail.error} onRetry={() => void detail.refetch()} />
        ))}
      {detail.data && <Charts detail={detail.data} />}
      {detail.data && <Operations service={service} />}
    </div>
  );
}

function Charts({ detail }: { detail: ServiceDetail }): ReactNode {
  const { red, common } = useMessages();
  const locale = useLocale();
  const { interval } = useTime();
  const { series } = detail;
  const timesMs = series.time_unix_nano.map((at) => Number(BigInt(at) / 1_000_000n));
  const measured = (values: readonly (string | null)[]): (number | null)[] =>
    values.map((value, index) => (series.request_count[index] ? Number(value) : null));
  const perSecond = rates(series, detail.step_seconds, interval.toMs);
  const highest = Math.max(detail.request_rate, ...perSecond.map((value) => value ?? 0));
  const unit = useMemo(() => rateUnit(highest, common), [highest, common]);
  const rate: ChartLine[] = [
    { label: red.rate, color: "--accent", filled: true, values: perSecond.map((value) => value && value * unit.factor) },
  ];
  const errors: ChartLine[] = [
    {
      label: red.errorRate, color: "--error-solid", filled: true,
      values: series.request_count.map((count, index) => (count > 0 ? (series.error_count[index] ?? 0) / count : null)),
    },
  ];
  const durations: ChartLine[] = [
    { label: red.p99, color: "--cat-3", values: measured(series.p99_nano) },
    { label: red.p95, color: "--cat-2", values: measured(series.p95_nano) },
    { label: red.p50, color: "--cat-0", values: measured(series.p50_nano) },
  ];
  const inUnit = useCallback((value: number) => `${formatCompact(value, locale)}${unit.suffix}`, [locale, unit]);
  const ratio = useCallback((value: number) => formatRatio(value, locale), [locale]);
  return (
    <div className="cards-3">
      <ChartCard title={red.rate} figure={formatRate(detail.request_rate, unit, locale)} lines={rate} timesMs={timesMs} format={inUnit} />
      <ChartCard title={red.errorRate} figure={ratio(detail.error_rate)} lines={errors} timesMs={timesMs} format={ratio} />
      <ChartCard title={red.duration} figure={`${red.p95} ${formatDuration(detail.p95_nano)}`} lines={durations} timesMs={timesMs} format={formatDurationTick} />
    </div>
  );
}

interface ChartCardProps {
  title: string;
  figure: string;
  lines: ChartLine[];
  timesMs: number[];
  format: (value: number) => string;
}

function ChartCard({ title, figure, lines, timesMs, format }: ChartCardProps): ReactNode {
  const { red } = useMessages();
  return (
    <section className="card">
      <div className="card-head">
        <h2>{title}</h2>
        <span className="muted">{figure}</span>
        <span className="hint hint-on-hover">{red.dragHint}</span>
      </div>
      <div className="card-body">
        <LineChart timesMs={timesMs} lines={lines} format={format} label={title} syncKey="service" />
        {lines.length > 1 && (
          <div className="legend">
            {lines.map((line) => (
              <span key={line.label}>
                <i style={{ background: `var(${line.color})` }} />
                {line.label}
              </span>
            ))}
          </div>
        )}
      </div>
    </section>
  );
}

const COLUMNS = {
  operation: (one: Operation) => one.operation,
  requests: (one: Operation) => one.request_count,
  errors: (one: Operation) => one.error_rate,
  p95: (one: Operation) => Number(one.p95_nano),
};

function Operations({ service }: { service: string }): ReactNode {
  const messages = useMessages();
  const { red, common } = messages;
  const locale = useLocale();
  const linkTo = useLinkTo();
  const setParams = useSetParams();
  const filter = useParam("filter");
  const sort = useSort("requests");
  const query = useTimedQuery("/api/v1/services/{service}/operations", { path: { service } });
  if (query.error) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  if (!query.data) return <SkeletonRows />;
  const shown = query.data.operations.filter((one) => one.operation.toLowerCase().includes(filter.toLowerCase()));
  return (
    <section className="card">
      <div className="card-head">
        <h2>{messages.service.operations}</h2>
        <FilterField
          className="hint"
          value={filter}
          label={messages.service.filter}
          shortcut
          onChange={(text) => setParams({ filter: text }, { replace: true })}
        />
      </div>
      <div className="table-wrap">
        <table className="table">
          <thead>
            <tr>
              <SortHead sort={sort} column="operation" label={common.operation} />
              <th>{messages.service.kind}</th>
              <SortHead sort={sort} column="requests" label={red.requests} className="number" />
              <SortHead sort={sort} column="errors" label={red.errorRate} className="number" />
              <th className="number">{red.p50}</th>
              <SortHead sort={sort} column="p95" label={red.p95} className="number" />
              <th className="number">{red.p99}</th>
            </tr>
          </thead>
          <tbody>
            {sorted(shown, COLUMNS, sort).map((one) => (
              <tr key={`${one.kind} ${one.operation}`}>
                <td className="cell-main truncate">
                  <Link to={linkTo(paths.traces, operationLink(service, one.operation))}>{one.operation}</Link>
                </td>
                <td>
                  <span className="badge">{messages.trace.kindNames[one.kind]}</span>
                </td>
                <td className="number">{formatCompact(one.request_count, locale)}</td>
                <td className={`number ${one.error_count > 0 ? "text-error" : "muted"}`}>{formatRatio(one.error_rate, locale)}</td>
                <td className="number">{formatDuration(one.p50_nano)}</td>
                <td className="number">{formatDuration(one.p95_nano)}</td>
                <td className="number">{formatDuration(one.p99_nano)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {shown.length === 0 && <p className="load-more">{messages.service.none}</p>}
      </div>
    </section>
  );
}

function operationLink(service: string, operation: string): Record<string, string> {
  const { query = "", ...own } = ofService(service);
  return { ...own, query: conjunction(query, term("operation", "=", operation)) };
}
