import type { ReactNode } from "react";
import { useMemo, useState } from "react";
import { Link, useNavigate } from "react-router";
import type { RedSeries, Service, ServiceList } from "../../api/schema";
import { useTimedQuery, useUntimedQuery } from "../../api/use-api";
import { Sparkline } from "../../charts/sparkline";
import { formatDuration } from "../../format/duration";
import { formatRate, formatRatio, rateUnit } from "../../format/number";
import { useLocale, useMessages } from "../../i18n";
import { Page, useTitle } from "../../shell/page";
import { useTime } from "../../time/context";
import { presetText } from "../../time/picker";
import { Answer } from "../../ui/answer";
import { ServiceName } from "../../ui/service";
import { FilterField } from "../../ui/small";
import { Empty, SkeletonRows } from "../../ui/states";
import type { Column } from "../../ui/table";
import { Table } from "../../ui/table";
import { useLinkTo, useParam, useSetParams } from "../../url/params";
import { paths } from "../registry";
import { Start } from "../start/start";
import { rates } from "./rates";

const ROW_HEIGHT = 38;

export default function ServicesPage(): ReactNode {
  const { services } = useMessages();
  const setParams = useSetParams();
  const filter = useParam("filter");
  const onlyErrors = useParam("errors") !== "";
  const query = useTimedQuery("/api/v1/services");
  const shown = useMemo(() => {
    const wanted = filter.normalize("NFC").toLowerCase();
    return (query.data?.services ?? []).filter(
      (one) => one.service.normalize("NFC").toLowerCase().includes(wanted) && (!onlyErrors || one.error_count > 0),
    );
  }, [query.data, filter, onlyErrors]);
  const any = (query.data?.services.length ?? 0) > 0;
  return (
    <Page
      id="services"
      {...(any && {
        filters: (
          <>
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
          </>
        ),
        end: services.count(shown.length),
      })}
    >
      <Answer query={query} rows={10} empty={{ is: (list) => list.services.length === 0, show: <Nothing /> }}>
        {(list) => <Services list={list} shown={shown} />}
      </Answer>
    </Page>
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

function Services({ list, shown }: { list: ServiceList; shown: readonly Service[] }): ReactNode {
  const { red, common } = useMessages();
  const title = useTitle("services");
  const locale = useLocale();
  const linkTo = useLinkTo();
  const navigate = useNavigate();
  const { interval } = useTime();
  const unit = rateUnit(Math.max(...list.services.map((one) => one.request_rate)), common);
  const linkOf = (one: Service): string => linkTo(paths.service, { name: one.service });
  const columns: Column<Service>[] = [
    {
      id: "service",
      title: common.service,
      sort: (one) => one.service,
      className: "cell-main",
      cell: (one) => (
        <Link to={linkOf(one)}>
          <ServiceName service={one.service} />
        </Link>
      ),
    },
    {
      id: "rate",
      title: red.rate,
      sort: (one) => one.request_rate,
      numeric: true,
      width: "20%",
      cell: (one) => (
        <span className="cell-chart">
          <Sparkline values={rates(one.series, list.step_seconds, interval.toMs)} color="--accent" label={red.rate} />
          <b>{formatRate(one.request_rate, unit, locale)}</b>
        </span>
      ),
    },
    {
      id: "errors",
      title: red.errorRate,
      sort: (one) => one.error_rate,
      numeric: true,
      width: "20%",
      cell: (one) => (
        <span className="cell-chart">
          <Sparkline values={errorRates(one.series)} color="--error-solid" max={0.05} bars label={red.errorRate} />
          <b className={one.error_count > 0 ? "text-error" : "muted"}>{formatRatio(one.error_rate, locale)}</b>
        </span>
      ),
    },
    {
      id: "p95",
      title: `${red.duration} ${red.p95}`,
      sort: (one) => Number(one.p95_nano),
      numeric: true,
      width: "20%",
      cell: (one) => (
        <span className="cell-chart">
          <Sparkline
            values={one.series.p95_nano.map((value, index) => (one.series.request_count[index] ? Number(value) : null))}
            color="--cat-2"
            label={red.p95}
          />
          <b>{formatDuration(one.p95_nano)}</b>
        </span>
      ),
    },
    { id: "p50", title: red.p50, sort: (one) => Number(one.p50_nano), numeric: true, width: "9%", className: "cell-wide", cell: (one) => formatDuration(one.p50_nano) },
    { id: "p99", title: red.p99, sort: (one) => Number(one.p99_nano), numeric: true, width: "9%", className: "cell-wide", cell: (one) => formatDuration(one.p99_nano) },
  ];
  return (
    <Table
      label={title}
      rows={shown}
      columns={columns}
      keyOf={(one) => one.service}
      rowHeight={ROW_HEIGHT}
      sortedBy="rate"
      onOpen={(one) => void navigate(linkOf(one))}
      empty={common.noMatch}
    />
  );
}

function errorRates({ request_count: requests, error_count: errors }: RedSeries): (number | null)[] {
  return requests.map((count, index) => (count > 0 ? (errors[index] ?? 0) / count : null));
}
