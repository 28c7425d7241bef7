import type { ReactNode } from "react";
import { useCallback, useMemo, useState } from "react";
import { useNavigate } from "react-router";
import type { Metric, MetricPoints } from "../../api/schema";
import { useTimedQuery } from "../../api/use-api";
import { HeatMap } from "../../charts/heat-map";
import { LineChart } from "../../charts/line-chart";
import { formatCount, formatInUnit } from "../../format/number";
import { useLocale, useMessages } from "../../i18n";
import { ServiceSelect } from "../../query/service-select";
import { paths } from "../registry";
import { PageTitle } from "../../shell/top-bar";
import { useTime } from "../../time/context";
import { Select } from "../../ui/select";
import { categoryVar } from "../../ui/service";
import { FilterField, Segmented } from "../../ui/small";
import { Empty, ErrorState, SkeletonRows } from "../../ui/states";
import { useLinkTo, useParam, useSetParams } from "../../url/params";
import { heatMetric, isHistogram, plotMetric } from "./plot";
import { isRate } from "./points";
import { useMetric } from "./use-metric";

const ALL_TOGETHER = "*";
const EACH_SERIES = "-";
/** More lines than this start out grouped by service. */
const READABLE_LINES = 12;

/** All that reported under one name. */
interface Named {
  name: string;
  shapes: Metric[];
}

function byName(metrics: readonly Metric[]): Named[] {
  return [...Map.groupBy(metrics, ({ name }) => name)].map(([name, shapes]) => ({ name, shapes }));
}

export default function MetricsPage(): ReactNode {
  const { metrics } = useMessages();
  const service = useParam("service");
  const asked = useParam("metric");
  const list = useTimedQuery("/api/v1/metrics", { query: { service: service || null } });
  const all = useMemo(() => byName(list.data?.metrics ?? []), [list.data]);
  const name = asked || (all[0]?.name ?? "");
  return (
    <div className="metrics-page">
      <PageTitle text={asked || metrics.title}>{metrics.title}</PageTitle>
      <aside className="metrics-list">{list.data ? <Catalogue all={all} chosen={name} /> : <SkeletonRows rows={14} />}</aside>
      <div className="page">
        <div className="toolbar">
          <ServiceSelect />
        </div>
        {list.error && <ErrorState error={list.error} onRetry={() => void list.refetch()} />}
        {list.data && name === "" && <Empty icon="metrics" title={metrics.emptyTitle} detail={metrics.emptyDetail} />}
        {name !== "" && <Chart key={name} name={name} service={service} shapes={all.find((one) => one.name === name)?.shapes ?? []} />}
      </div>
    </div>
  );
}

function Catalogue({ all, chosen }: { all: readonly Named[]; chosen: string }): ReactNode {
  const { metrics } = useMessages();
  const [filter, setFilter] = useState("");
  const setParams = useSetParams();
  const shown = all.filter((one) => one.name.toLowerCase().includes(filter.toLowerCase()));
  return (
    <>
      <div className="toolbar">
        <FilterField className="grow" value={filter} label={metrics.find} shortcut onChange={setFilter} />
        <span className="toolbar-end">{metrics.count(shown.length)}</span>
      </div>
      <ul className="list">
        {shown.map(({ name, shapes }) => (
          <li key={name}>
            <button
              type="button"
              className="metric-item"
              aria-current={name === chosen}
              onClick={() => setParams({ metric: name, group: null, view: null })}
            >
              <span className="truncate">{name}</span>
              <Shapes shapes={shapes} />
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

/** Types, units and, where one name has both, temporalities. */
function Shapes({ shapes }: { shapes: readonly Metric[] }): ReactNode {
  const { metrics } = useMessages();
  const types = [...new Set(shapes.map(({ type }) => metrics.types[type] ?? type))];
  const units = [...new Set(shapes.map(({ unit }) => unit))].filter((unit) => unit !== "" && unit !== "1");
  const temporalities = [...new Set(shapes.map(({ temporality }) => metrics.temporality[temporality] ?? ""))].filter(Boolean);
  return (
    <span className="metric-shape">
      {types.map((type) => (
        <span key={type} className="badge">
          {type}
        </span>
      ))}
      <span className="muted truncate">
        {[...units, ...(temporalities.length > 1 ? [temporalities.join(" + ")] : [])].join(" · ")}
      </span>
    </span>
  );
}

function Chart({ name, service, shapes }: { name: string; service: string; shapes: readonly Metric[] }): ReactNode {
  const { metrics } = useMessages();
  const asked = useParam("group");
  const setParams = useSetParams();
  const { data, error, isPending, retry } = useMetric(name, service);
  const keys = ["service", ...new Set(shapes.flatMap(({ attributes }) => attributes))];
  const group = asked || (data ? usualGroup(data) : EACH_SERIES);
  return (
    <section className="card">
      <div className="card-head">
        <h2 className="truncate">{name}</h2>
        <Shapes shapes={shapes} />
        <span className="hint">
          <Select
            label={metrics.groupBy}
            value={group}
            options={[
              { value: ALL_TOGETHER, label: metrics.together },
              { value: EACH_SERIES, label: metrics.perSeries },
              ...keys.map((key) => ({ value: key, label: key })),
            ]}
            placeholder={metrics.perSeries}
            onChange={(value) => setParams({ group: value })}
          />
        </span>
      </div>
      <div className="card-body">
        {shapes[0]?.description && <p className="card-note muted">{shapes[0].description}</p>}
        {isPending && <SkeletonRows rows={6} />}
        {error && <ErrorState error={error} onRetry={retry} />}
        {data &&
          (data.series.length === 0 ? (
            <Empty icon="metrics" title={metrics.noPoints} detail={metrics.noPointsDetail} />
          ) : (
            <Drawn data={data} group={group} />
          ))}
      </div>
    </section>
  );
}

/** Three quantiles of each of many series are a thicket; all together they answer the first question. */
function usualGroup(data: MetricPoints): string {
  if (isHistogram(data.type)) return ALL_TOGETHER;
  return data.series.length > READABLE_LINES ? "service" : EACH_SERIES;
}

function Drawn({ data, group }: { data: MetricPoints; group: string }): ReactNode {
  const { metrics } = useMessages();
  const locale = useLocale();
  const navigate = useNavigate();
  const linkTo = useLinkTo();
  const { interval, zoom } = useTime();
  const view = useParam("view");
  const setParams = useSetParams();
  const groupBy = group === EACH_SERIES ? null : group === ALL_TOGETHER ? "" : group;
  const plot = useMemo(() => plotMetric(data, groupBy, interval.fromMs, interval.toMs), [data, groupBy, interval]);
  const heat = useMemo(() => (isHistogram(data.type) ? heatMetric(data, interval.fromMs, interval.toMs) : null), [data, interval]);
  const own = data.unit ?? "";
  const unit = isRate(data) ? `${own === "" ? "1" : own}/s` : own;
  const format = useCallback((value: number) => formatInUnit(value, unit, locale), [unit, locale]);
  const lines = useMemo(
    () => plot.lines.map((line, index) => ({ label: line.label || data.name, color: `--cat-${index % 12}`, values: line.values })),
    [plot, data],
  );
  const stepMs = heat && heat.timesMs.length > 1 ? (heat.timesMs[1] ?? 0) - (heat.timesMs[0] ?? 0) : 60_000;
  return (
    <>
      {heat && (
        <div className="toolbar">
          <Segmented
            label={metrics.view}
            value={view === "heat" ? "heat" : ""}
            choices={[
              { value: "", label: metrics.quantiles },
              { value: "heat", label: metrics.heat },
            ]}
            onChange={(value) => setParams({ view: value })}
          />
        </div>
      )}
      {heat && view === "heat" ? (
        <HeatMap
          timesMs={heat.timesMs}
          stepMs={stepMs}
          bounds={heat.bounds}
          counts={heat.counts}
          formatBound={(value) => (Number.isFinite(value) ? format(value) : "∞")}
          formatCell={(count) => formatCount(Math.round(count), locale)}
          label={data.name}
          height={300}
          onSelect={(fromMs, toMs) => zoom(fromMs, toMs)}
        />
      ) : (
        <LineChart
          timesMs={plot.timesMs}
          lines={lines}
          format={format}
          label={data.name}
          height={300}
          dots={plot.exemplars}
          dotHint={metrics.exemplarHint}
          onDot={(index) => {
            const exemplar = plot.exemplars[index]?.exemplar;
            if (exemplar?.trace_id) void navigate(linkTo(paths.trace(exemplar.trace_id), { span: exemplar.span_id || null }));
          }}
        />
      )}
      <ul className="legend">
        {lines.map((line, index) => (
          <li key={line.label}>
            <i style={{ background: categoryVar(index % 12) }} />
            <span className="truncate">{line.label}</span>
            <b>{lastOf(line.values, format)}</b>
          </li>
        ))}
      </ul>
      {plot.hidden > 0 && <p className="muted">{metrics.hidden(plot.hidden)}</p>}
      {data.next_cursor && <p className="muted">{metrics.partial}</p>}
      <p className="chart-foot muted">
        {metrics.series(data.series.length)} · {metrics.points(data.series.reduce((sum, one) => sum + one.points.length, 0))}
        {plot.exemplars.length > 0 && ` · ${metrics.exemplarHint}`}
      </p>
    </>
  );
}

function lastOf(values: readonly (number | null)[], format: (value: number) => string): string {
  const last = values.findLast((value) => value !== null);
  return last === undefined ? "–" : format(last);
}
