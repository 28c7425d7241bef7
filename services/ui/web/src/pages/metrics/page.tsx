import type { ReactNode } from "react";
import { useCallback, useMemo, useState } from "react";
import { useNavigate } from "react-router";
import type { MetricData, MetricDescription, MetricList } from "../../api/types";
import { useTimedQuery } from "../../api/use-api";
import { HeatMap } from "../../charts/heat-map";
import { LineChart } from "../../charts/line-chart";
import { formatCompact, formatCount, formatInUnit } from "../../format/number";
import { useLocale, useMessages } from "../../i18n";
import { ServiceSelect } from "../../query/service-select";
import { paths } from "../../routes";
import { PageTitle } from "../../shell/top-bar";
import { useTime } from "../../time/context";
import { Select } from "../../ui/select";
import { categoryVar } from "../../ui/service";
import { FilterField, Segmented } from "../../ui/small";
import { Empty, ErrorState, SkeletonRows } from "../../ui/states";
import { useLinkTo, useParam, useSetParams } from "../../url/params";
import { heatMetric, isHistogram, plotMetric } from "./plot";
import { isRate } from "./points";

const ALL_TOGETHER = "*";

export default function MetricsPage(): ReactNode {
  const { metrics } = useMessages();
  const service = useParam("service");
  const name = useParam("metric");
  const list = useTimedQuery<MetricList>("/api/v1/metrics", { service });
  const chosen = list.data?.metrics.find((one) => one.name === name);
  return (
    <div className="metrics-page">
      <PageTitle text={name || metrics.title} />
      <aside className="metrics-list">
        {list.data ? <Catalogue list={list.data} chosen={name} /> : <SkeletonRows rows={14} />}
      </aside>
      <div className="page">
        <div className="toolbar">
          <ServiceSelect />
        </div>
        {list.error && <ErrorState error={list.error} onRetry={() => void list.refetch()} />}
        {list.data?.metrics.length === 0 && <Empty icon="metrics" title={metrics.emptyTitle} detail={metrics.emptyDetail} />}
        {list.data && list.data.metrics.length > 0 && !name && <Empty icon="metrics" title={metrics.pick} detail={metrics.pickDetail} />}
        {name && <Chart name={name} service={service} description={chosen} />}
      </div>
    </div>
  );
}

function Catalogue({ list, chosen }: { list: MetricList; chosen: string }): ReactNode {
  const { metrics } = useMessages();
  const [filter, setFilter] = useState("");
  const setParams = useSetParams();
  const shown = list.metrics.filter((one) => one.name.toLowerCase().includes(filter.toLowerCase()));
  return (
    <>
      <div className="toolbar">
        <FilterField className="grow" value={filter} label={metrics.find} shortcut onChange={setFilter} />
        <span className="toolbar-end">{metrics.count(shown.length)}</span>
      </div>
      <ul className="list">
        {shown.map((one) => (
          <li key={`${one.name} ${one.type} ${one.unit}`}>
            <button
              type="button"
              className="metric-item"
              aria-current={one.name === chosen}
              onClick={() => setParams({ metric: one.name, group: null, view: null })}
            >
              <span className="truncate">{one.name}</span>
              <span>
                <span className="badge">{metrics.types[one.type]}</span> <span className="muted">{one.unit}</span>
              </span>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

function Chart({ name, service, description }: { name: string; service: string; description: MetricDescription | undefined }): ReactNode {
  const { metrics } = useMessages();
  const group = useParam("group");
  const setParams = useSetParams();
  const query = useTimedQuery<MetricData>(`/api/v1/metrics/${encodeURIComponent(name)}`, { service });
  const keys = ["service", ...(description?.attributes ?? [])];
  return (
    <section className="card">
      <div className="card-head">
        <h2>{name}</h2>
        {description && <span className="badge">{metrics.types[description.type]}</span>}
        {description?.unit && <span className="muted">{description.unit}</span>}
        <span className="muted truncate">{description?.description}</span>
        <span className="hint">
          <Select
            label={metrics.groupBy}
            value={group}
            options={[{ value: ALL_TOGETHER, label: metrics.together }, ...keys.map((key) => ({ value: key, label: key }))]}
            placeholder={metrics.perSeries}
            clearable
            onChange={(value) => setParams({ group: value })}
          />
        </span>
      </div>
      <div className="card-body">
        {query.isPending && <SkeletonRows rows={6} />}
        {query.error && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
        {query.data &&
          (query.data.series.length === 0 ? (
            <Empty icon="metrics" title={metrics.noPoints} detail={metrics.noPointsDetail} />
          ) : (
            <Drawn data={query.data} group={group} />
          ))}
      </div>
    </section>
  );
}

function Drawn({ data, group }: { data: MetricData; group: string }): ReactNode {
  const { metrics } = useMessages();
  const locale = useLocale();
  const navigate = useNavigate();
  const linkTo = useLinkTo();
  const { interval, zoom } = useTime();
  const view = useParam("view");
  const setParams = useSetParams();
  const groupBy = group === "" ? null : group === ALL_TOGETHER ? "" : group;
  const plot = useMemo(() => plotMetric(data, groupBy, interval.fromMs, interval.toMs), [data, groupBy, interval]);
  const heat = useMemo(() => (isHistogram(data.type) ? heatMetric(data, interval.fromMs, interval.toMs) : null), [data, interval]);
  const unit = isRate(data) ? `${data.unit || "1"}/s` : data.unit;
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
      <p className="muted">
        {metrics.series(data.series.length)} · {formatCompact(data.series.reduce((sum, one) => sum + one.points.length, 0), locale)}
        {plot.exemplars.length > 0 && ` · ${metrics.exemplars} ${formatCount(plot.exemplars.length, locale)}`}
      </p>
    </>
  );
}

function lastOf(values: readonly (number | null)[], format: (value: number) => string): string {
  const last = values.findLast((value) => value !== null);
  return last === undefined ? "–" : format(last);
}
