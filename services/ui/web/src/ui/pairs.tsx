/** Attributes as a list of keys and values, with what one can do with each. */

import type { ReactNode } from "react";
import { useMemo } from "react";
import type { Attributes, AttributeValue } from "../format/attribute";
import { attributePairs, attributeText, attributeType } from "../format/attribute";
import { CopyButton } from "./small";

interface PairsProps {
  attributes: Attributes;
  /** More buttons for a value. */
  actions?: (key: string, value: AttributeValue) => ReactNode;
}

export function Pairs({ attributes, actions }: PairsProps): ReactNode {
  const pairs = useMemo(() => attributePairs(attributes).toSorted(([a], [b]) => a.localeCompare(b)), [attributes]);
  return (
    <dl className="pairs">
      {pairs.map(([key, value], index) => (
        <Pair key={`${key} ${index}`} name={key} text={attributeText(value)} type={attributeType(value)}>
          {actions?.(key, value)}
        </Pair>
      ))}
    </dl>
  );
}

export function Pair({ name, text, type, children }: { name: string; text: string; type?: string; children?: ReactNode }): ReactNode {
  return (
    <>
      <dt>{name}</dt>
      <dd>
        <span className="value mono" data-type={type}>
          {text === "" ? <span className="muted">""</span> : text}
        </span>
        <span className="pair-actions">
          {children}
          <CopyButton text={text} />
        </span>
      </dd>
    </>
  );
}
