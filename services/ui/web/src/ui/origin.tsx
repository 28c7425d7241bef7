/** Attributes under their title, and where a record comes from: its resource and the scope that made it. */

import type { ReactNode } from "react";
import type { EntityRef, Span } from "../api/schema";
import type { Attributes, AttributeValue } from "../format/attribute";
import { attributeText } from "../format/attribute";
import { useMessages } from "../i18n";
import { Pair, Pairs } from "./pairs";

/** What spans and log records have in common. */
type Origin = Pick<
  Span,
  "resource_attributes" | "resource_dropped_attributes_count" | "resource_entity_refs" | "resource_schema_url" | "scope" | "scope_schema_url"
>;

type Actions = (key: string, value: AttributeValue) => ReactNode;

interface AttributeSectionProps {
  title: string;
  attributes: Attributes;
  dropped: number;
  actions: Actions;
  /** More about what the attributes describe. */
  children?: ReactNode;
}

export function AttributeSection({ title, attributes, dropped, actions, children }: AttributeSectionProps): ReactNode {
  const { origin } = useMessages();
  return (
    <section className="section">
      <h3>
        {title} <Dropped count={dropped} />
      </h3>
      {Object.keys(attributes).length === 0 ? <p className="muted">{origin.noAttributes}</p> : <Pairs attributes={attributes} actions={actions} />}
      {children}
    </section>
  );
}

export function OriginSections({ of, actions }: { of: Origin; actions: Actions }): ReactNode {
  const { origin } = useMessages();
  const { scope } = of;
  return (
    <>
      <AttributeSection title={origin.resource} attributes={of.resource_attributes} dropped={of.resource_dropped_attributes_count} actions={actions}>
        <dl className="pairs">
          {of.resource_entity_refs.map((entity, index) => (
            <Pair key={index} name={origin.entity(entity.type)} text={entityText(entity, of.resource_attributes)} />
          ))}
          {of.resource_schema_url && <Pair name={origin.schema} text={of.resource_schema_url} />}
        </dl>
      </AttributeSection>
      <section className="section">
        <h3>
          {origin.scope} <Dropped count={scope.dropped_attributes_count} />
        </h3>
        <dl className="pairs">
          <Pair name={origin.library} text={`${scope.name} ${scope.version}`.trim()} />
          {of.scope_schema_url && <Pair name={origin.schema} text={of.scope_schema_url} />}
        </dl>
        <Pairs attributes={scope.attributes} />
      </section>
    </>
  );
}

export function Dropped({ count }: { count: number }): ReactNode {
  const { origin } = useMessages();
  return count > 0 ? <span className="badge badge-warn">{origin.dropped(count)}</span> : null;
}

/** The attributes that identify the entity, e.g. `host.id=4f2a`. */
function entityText({ id_keys: keys }: EntityRef, attributes: Attributes): string {
  return keys.map((key) => (key in attributes ? `${key}=${attributeText(attributes[key] ?? null)}` : key)).join(" ");
}
