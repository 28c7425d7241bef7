import type { ReactNode } from "react";
import { useCallback, useMemo } from "react";
import { useNavigate } from "react-router";
import type { Metric, MetricPoints } from "../../api/schema";
import { useTimedQuery } from "../../api/use-api";
import { HeatMap } from "../../charts/heat-map";
import type { ChartLine } from "../../charts/line-chart";
import { LineChart } from "../../charts/line-chart";
import { formatCount, formatInUnit } from "../../format/number";
import { useLocale, useMessages } from "../../i18n";
import { ServiceSelect } from "../../query/service-select";
import { paths } from "../registry";
import { ChartFrame } from "../../charts/frame";
import { Page, useTitle } from "../../shell/page";
import { Answer } from "../../ui/answer";
import { FacetList } from "../../ui/facet-list";
import { useTime } from "../../time/context";
import { Select } from "../../ui/select";
import { CATEGORY_COUNT } from "../../ui/service";
import { Segmented } from "../../ui/segmented";
import { Empty } from "../../ui/states";
import { useLinkTo, useParam, useSetParams } from "../../url/params";
import type { HeatPlot, Plot } from "./plot";
import { heatMetric, isHistogram, plotMetric } from "./plot";
import { isRate } from "./points";
import { useMetric } from "./use-metric";
import "./page.css";

const ALL_TOGETHER = "*";
const EACH_SERIES = "-";
/** More lines than this start out grouped by service. */
const READABLE_LINES = 12;
const CHART_HEIGHT = 300;
const CATALOGUE_ROW = 55;

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
      <aside className="metrics-list" aria-label={metrics.find}>
        <Answer query={list} rows={14}>
          {() => <Catalogue all={all} chosen={name} />}
        </Answer>
      </aside>
      <Page id="metrics" {...(asked && { about: asked })} filters={<ServiceSelect />}>
        {list.data && name === "" && <Empty icon="metrics" title={metrics.emptyTitle} detail={metrics.emptyDetail} />}
        {name !== "" && <Chart key={name} name={name} service={service} shapes={all.find((one) => one.name === name)?.shapes ?? []} />}
      </Page>
    </div>
  );
}

function Catalogue({ all, chosen }: { all: readonly Named[]; chosen: string }): ReactNode {
  const { metrics } = useMessages();
  const title = useTitle("metrics");
  const setParams = useSetParams();
  const facets = useMemo(() => all.map(({ name, shapes }) => ({ value: name, label: name, detail: <Shapes shapes={shapes} /> })), [all]);
  return (
    <FacetList
      label={title}
      search={metrics.find}
      countText={metrics.count}
      facets={facets}
      chosen={[chosen]}
      single
      rowHeight={CATALOGUE_ROW}
      onChoose={([metric = ""]) => setParams({ metric, group: null, view: null })}
    />
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
  const query = useMetric(name, service);
  const { data } = query;
  const keys = ["service", ...new Set(shapes.flatMap(({ attributes }) => attributes))];
  const group = asked || (data ? usualGroup(data) : EACH_SERIES);
  const drawing = useDrawing(data, group);
  const { plot, format } = drawing;
  const description = shapes[0]?.description ?? "";
  return (
    <ChartFrame
      title={name}
      figure={<Shapes shapes={shapes} />}
      end={
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
      }
      note={description !== "" && <p className="card-note muted">{description}</p>}
      query={query}
      empty={{
        is: ({ series }) => series.length === 0,
        show: <Empty icon="metrics" title={metrics.noPoints} detail={metrics.noPointsDetail} />,
      }}
      legend={() => drawing.lines.map(({ label, color, values }) => ({ label, color, value: lastOf(values, format) }))}
      foot={({ series, next_cursor: cursor }) => (
        <>
          {plot.hidden > 0 && <p className="muted">{metrics.hidden(plot.hidden)}</p>}
          {cursor && <p className="muted">{metrics.partial}</p>}
          <p className="chart-foot muted">
            {metrics.series(series.length)} · {metrics.points(series.reduce((sum, one) => sum + one.points.length, 0))}
            {plot.exemplars.length > 0 && ` · ${metrics.exemplarHint}`}
          </p>
        </>
      )}
    >
      {(metric, hidden) => <Drawn metric={metric} drawing={drawing} hidden={hidden} />}
    </ChartFrame>
  );
}

/** Three quantiles of each of many series are a thicket; all together they answer the first question. */
function usualGroup(data: MetricPoints): string {
  if (isHistogram(data.type)) return ALL_TOGETHER;
  return data.series.length > READABLE_LINES ? "service" : EACH_SERIES;
}

interface Drawing {
  plot: Plot;
  heat: HeatPlot | null;
  lines: ChartLine[];
  format: (value: number) => string;
}

/** What the points of a metric look like, grouped. */
function useDrawing(data: MetricPoints | undefined, group: string): Drawing {
  const locale = useLocale();
  const { interval } = useTime();
  const groupBy = group === EACH_SERIES ? null : group === ALL_TOGETHER ? "" : group;
  const plot = useMemo(
    () => (data ? plotMetric(data, groupBy, interval.fromMs, interval.toMs) : { timesMs: [], lines: [], exemplars: [], hidden: 0 }),
    [data, groupBy, interval],
  );
  const heat = useMemo(
    () => (data && isHistogram(data.type) ? heatMetric(data, interval.fromMs, interval.toMs) : null),
    [data, interval],
  );
  const own = data?.unit ?? "";
  const unit = data && isRate(data) ? `${own === "" ? "1" : own}/s` : own;
  const format = useCallback((value: number) => formatInUnit(value, unit, locale), [unit, locale]);
  const name = data?.name ?? "";
  const lines = useMemo(
    () => plot.lines.map((line, index) => ({ label: line.label || name, color: `--cat-${index % CATEGORY_COUNT}`, values: line.values })),
    [plot, name],
  );
  return { plot, heat, lines, format };
}

function Drawn({ metric, drawing, hidden }: { metric: MetricPoints; drawing: Drawing; hidden: ReadonlySet<string> }): ReactNode {
  const { metrics } = useMessages();
  const { plot, heat, lines, format } = drawing;
  const locale = useLocale();
  const navigate = useNavigate();
  const linkTo = useLinkTo();
  const { zoom } = useTime();
  const view = useParam("view");
  const setParams = useSetParams();
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
          label={metric.name}
          height={CHART_HEIGHT}
          onSelect={(fromMs, toMs) => zoom(fromMs, toMs)}
        />
      ) : (
        <LineChart
          timesMs={plot.timesMs}
          lines={lines.filter(({ label }) => !hidden.has(label))}
          format={format}
          label={metric.name}
          height={CHART_HEIGHT}
          dots={plot.exemplars}
          dotHint={metrics.exemplarHint}
          onDot={(index) => {
            const exemplar = plot.exemplars[index]?.exemplar;
            if (exemplar?.trace_id) void navigate(linkTo(paths.trace(exemplar.trace_id), { span: exemplar.span_id || null }));
          }}
        />
      )}
    </>
  );
}

function lastOf(values: readonly (number | null)[], format: (value: number) => string): string {
  const last = values.findLast((value) => value !== null);
  return last === undefined ? "–" : format(last);
}
