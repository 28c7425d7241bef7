/** Everything a span says. */

import type { ReactNode } from "react";
import { Link } from "react-router";
import type { AttributeValue } from "../../format/attribute";
import { attributeTerm } from "../../format/attribute";
import { formatDuration, nanos } from "../../format/duration";
import { formatNanos } from "../../format/instant";
import { useMessages } from "../../i18n";
import { attributeKey } from "../../query/compose";
import { paths } from "../registry";
import { useTime } from "../../time/context";
import { Icon } from "../../ui/icon";
import { Tip } from "../../ui/tip";
import { AttributeSection, Dropped, OriginSections } from "../../ui/origin";
import { Pair, Pairs } from "../../ui/pairs";
import { ServiceName } from "../../ui/service";
import { useLinkTo } from "../../url/params";
import type { Row } from "./waterfall";

export function SpanPanel({ row, traceStart, onClose }: { row: Row; traceStart: bigint; onClose: () => void }): ReactNode {
  const { trace, common } = useMessages();
  const { zone } = useTime();
  const linkTo = useLinkTo();
  const { span } = row;
  return (
    <aside className="panel" aria-label={trace.details}>
      <header className="panel-head">
        <h2>
          <ServiceName service={span.service} />
          <br />
          {span.name}
        </h2>
        <button type="button" className="button button-quiet button-icon" aria-label={common.close} onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      {row.oddities.map((oddity) => (
        <p key={oddity} className="note">
          <Icon name="warning" />
          {oddity === "early" ? trace.earlyBy(formatDuration(row.early)) : trace.odd[oddity]}
        </p>
      ))}
      {span.status.code === "ERROR" && (
        <p className="note note-error">
          <Icon name="error" />
          {span.status.message || trace.statusNames.ERROR}
        </p>
      )}
      <section className="section">
        <dl className="pairs">
          <Pair name={trace.duration} text={formatDuration(span.duration_nano)} />
          <Pair name={trace.offset} text={formatDuration(nanos(span.start_time_unix_nano) - traceStart)} />
          <Pair name={trace.start} text={formatNanos(nanos(span.start_time_unix_nano), zone)} />
          <Pair name={trace.end} text={formatNanos(nanos(span.end_time_unix_nano), zone)} />
          <Pair name={trace.kind} text={trace.kindNames[span.kind] ?? String(span.kind)} />
          <Pair name={trace.status} text={trace.statusNames[span.status.code] ?? String(span.status.code)} />
          <Pair name={trace.spanId} text={span.span_id} />
          {span.parent_span_id && <Pair name={trace.parentId} text={span.parent_span_id} />}
          {span.trace_state && <Pair name={trace.state} text={span.trace_state} />}
          <Pair name={trace.flags} text={`0x${span.flags.toString(16)}`} />
        </dl>
        <p>
          <Link className="button button-small" to={linkTo(paths.logs, { query: `trace_id=${span.trace_id} span_id=${span.span_id}` })}>
            <Icon name="logs" />
            {trace.spanLogs}
          </Link>
        </p>
      </section>
      <AttributeSection
        title={trace.attributes}
        attributes={span.attributes}
        dropped={span.dropped_attributes_count}
        actions={(key, value) => <FindSimilar name={attributeKey(key, "record")} value={value} />}
      />
      {(span.events.length > 0 || span.dropped_events_count > 0) && (
        <section className="section">
          <h3>
            {trace.events} <span className="badge">{span.events.length}</span>
            <Dropped count={span.dropped_events_count} />
          </h3>
          {span.events.map((event, index) => (
            <details key={index} open={event.name === "exception"}>
              <summary>
                {event.name} <span className="muted">+{formatDuration(nanos(event.time_unix_nano) - nanos(span.start_time_unix_nano))}</span>
              </summary>
              <Pairs attributes={event.attributes} />
              <Dropped count={event.dropped_attributes_count} />
            </details>
          ))}
        </section>
      )}
      {(span.links.length > 0 || span.dropped_links_count > 0) && (
        <section className="section">
          <h3>
            {trace.links} <span className="badge">{span.links.length}</span>
            <Dropped count={span.dropped_links_count} />
          </h3>
          {span.links.map((link, index) => (
            <div key={index}>
              <Link className="link mono" to={linkTo(paths.trace(link.trace_id), { span: link.span_id })}>
                {link.trace_id}
              </Link>
              <Pairs attributes={link.attributes} />
              <Dropped count={link.dropped_attributes_count} />
            </div>
          ))}
        </section>
      )}
      <OriginSections of={span} actions={(key, value) => <FindSimilar name={attributeKey(key, "resource")} value={value} />} />
    </aside>
  );
}

function FindSimilar({ name, value }: { name: string; value: AttributeValue }): ReactNode {
  const { trace } = useMessages();
  const linkTo = useLinkTo();
  const query = attributeTerm(name, "=", value);
  if (query === null) return null;
  return (
    <Tip text={trace.findSimilar}>
      <Link className="button button-quiet button-icon button-small" aria-label={trace.findSimilar} to={linkTo(paths.traces, { query })}>
        <Icon name="filter" />
      </Link>
    </Tip>
  );
}
