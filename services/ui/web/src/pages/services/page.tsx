import type { ReactNode } from "react";
import { useState } from "react";
import { Link } from "react-router";
import type { RedSeries, Service, ServiceList } from "../../api/schema";
import { useTimedQuery, useUntimedQuery } from "../../api/use-api";
import { Sparkline } from "../../charts/sparkline";
import { formatDuration } from "../../format/duration";
import { formatRate, formatRatio, rateUnit } from "../../format/number";
import { useLocale, useMessages } from "../../i18n";
import { paths } from "../registry";
import { PageTitle } from "../../shell/top-bar";
import { useTime } from "../../time/context";
import { presetText } from "../../time/picker";
import { ServiceName } from "../../ui/service";
import { FilterField } from "../../ui/small";
import { Empty, ErrorNote, ErrorState, SkeletonRows } from "../../ui/states";
import { useLinkTo, useParam, useSetParams } from "../../url/params";
import { Start } from "../start/start";
import { rates } from "./rates";
import { SortHead, sorted, useSort } from "./sort";

const COLUMNS = {
  service: (one: Service) => one.service,
  rate: (one: Service) => one.request_rate,
  errors: (one: Service) => one.error_rate,
  p50: (one: Service) => Number(one.p50_nano),
  p95: (one: Service) => Number(one.p95_nano),
  p99: (one: Service) => Number(one.p99_nano),
};

export default function ServicesPage(): ReactNode {
  const messages = useMessages();
  const query = useTimedQuery("/api/v1/services");
  return (
    <div className="page">
      <PageTitle text={messages.services.title} />
      {query.error && !query.data && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
      {query.error && query.data && <ErrorNote error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <SkeletonRows rows={10} />}
      {query.data && (query.data.services.length > 0 ? <Table list={query.data} /> : <Nothing />)}
    </div>
  );
}

/** Nothing in this range: either nothing ever, or nothing now. A look at the last 30 days tells which. */
function Nothing(): ReactNode {
  const messages = useMessages();
  const { services } = messages;
  const { setRange } = useTime();
  const [month] = useState(() => String((BigInt(Date.now()) - 30n * 86_400_000n) * 1_000_000n));
  const ever = useUntimedQuery("/api/v1/services", {}, { from: month });
  if (ever.isPending) return <SkeletonRows />;
  if (ever.data?.services.length === 0) return <Start />;
  return (
    <Empty icon="services" title={services.emptyTitle} detail={services.emptyDetail}>
      <button type="button" className="button" onClick={() => setRange({ from: "now-24h", to: "now" })}>
        {messages.time.last(presetText("24h", messages))}
      </button>
    </Empty>
  );
}

function Table({ list }: { list: ServiceList }): ReactNode {
  const { services, red, common } = useMessages();
  const locale = useLocale();
  const linkTo = useLinkTo();
  const setParams = useSetParams();
  const filter = useParam("filter");
  const onlyErrors = useParam("errors") !== "";
  const sort = useSort("rate");
  const { interval } = useTime();
  const unit = rateUnit(Math.max(...list.services.map((one) => one.request_rate)), common);
  const shown = list.services.filter(
    (one) => one.service.toLowerCase().includes(filter.toLowerCase()) && (!onlyErrors || one.error_count > 0),
  );
  return (
    <>
      <div className="toolbar">
        <FilterField
          value={filter}
          label={services.filter}
          shortcut
          onChange={(text) => setParams({ filter: text }, { replace: true })}
        />
        <button
          type="button"
          className="button"
          aria-pressed={onlyErrors}
          onClick={() => setParams({ errors: onlyErrors ? null : "1" })}
        >
          {services.withErrors}
        </button>
        <span className="toolbar-end">{services.count(shown.length)}</span>
      </div>
      <div className="card table-wrap">
        <table className="table table-services">
          <thead>
            <tr>
              <SortHead sort={sort} column="service" label={common.service} />
              <SortHead sort={sort} column="rate" label={red.rate} className="number" />
              <SortHead sort={sort} column="errors" label={red.errorRate} className="number" />
              <SortHead sort={sort} column="p95" label={`${red.duration} ${red.p95}`} className="number" />
              <SortHead sort={sort} column="p50" label={red.p50} className="number" />
              <SortHead sort={sort} column="p99" label={red.p99} className="number" />
            </tr>
          </thead>
          <tbody>
            {sorted(shown, COLUMNS, sort).map((one) => (
              <tr key={one.service}>
                <td className="cell-main">
                  <Link to={linkTo(paths.service, { name: one.service })}>
                    <ServiceName service={one.service} />
                  </Link>
                </td>
                <td>
                  <span className="cell-chart">
                    <Sparkline values={rates(one.series, list.step_seconds, interval.toMs)} color="--accent" label={red.rate} />
                    <b>{formatRate(one.request_rate, unit, locale)}</b>
                  </span>
                </td>
                <td>
                  <span className="cell-chart">
                    <Sparkline values={errorRates(one.series)} color="--error-solid" max={0.05} bars label={red.errorRate} />
                    <b className={one.error_count > 0 ? "text-error" : "muted"}>{formatRatio(one.error_rate, locale)}</b>
                  </span>
                </td>
                <td>
                  <span className="cell-chart">
                    <Sparkline
                      values={one.series.p95_nano.map((value, index) => (one.series.request_count[index] ? Number(value) : null))}
                      color="--cat-2"
                      label={red.p95}
                    />
                    <b>{formatDuration(one.p95_nano)}</b>
                  </span>
                </td>
                <td className="number">{formatDuration(one.p50_nano)}</td>
                <td className="number">{formatDuration(one.p99_nano)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {shown.length === 0 && <p className="load-more">{common.noMatch}</p>}
      </div>
    </>
  );
}

function errorRates({ request_count: requests, error_count: errors }: RedSeries): (number | null)[] {
  return requests.map((count, index) => (count > 0 ? (errors[index] ?? 0) / count : null));
}
