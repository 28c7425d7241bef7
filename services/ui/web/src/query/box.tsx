/** The query field: runs on Enter, says where a query does not parse, suggests fields and attributes of the data. */

import type { ReactNode, SubmitEvent } from "react";
import { useId, useState } from "react";
import type { Problem } from "../api/problem";
import { useTimedQuery } from "../api/use-api";
import { useMessages } from "../i18n";
import { Icon } from "../ui/icon";
import { Popover } from "../ui/popover";
import { useParam, useSetParams } from "../url/params";
import { FIELDS, attributeKey } from "./compose";

interface QueryBoxProps {
  signal: "traces" | "logs";
  /** The search's failure, to show where the text is wrong. */
  problem: Problem | null;
}

export function QueryBox({ signal, problem }: QueryBoxProps): ReactNode {
  const { query: texts, error: errors } = useMessages();
  const applied = useParam("query");
  const setParams = useSetParams();
  const [text, setText] = useState(applied);
  const [from, setFrom] = useState(applied);
  // The query may change without the box: a link, "back", a filter button beside a value.
  if (from !== applied) {
    setFrom(applied);
    setText(applied);
  }
  const id = useId();
  const position = problem?.queryPosition ?? null;
  const keys = useTimedQuery("/api/v1/attributes", { query: { signal } });
  const before = text.replace(/\S*$/, "");
  const suggestions = [
    ...FIELDS[signal],
    ...(keys.data && "keys" in keys.data ? keys.data.keys : []).map(({ key, scope }) => attributeKey(key, scope === "resource" ? "resource" : "record")),
  ];
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    setParams({ query: text.trim() });
  };
  return (
    <form className="grow" onSubmit={submit} role="search">
      <span className="toolbar">
        <label className="field grow" data-invalid={position !== null}>
          <Icon name="search" />
          <input
            className="mono"
            value={text}
            list={id}
            placeholder={texts[signal]}
            aria-label={texts.label}
            data-search
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => setText(event.target.value)}
          />
          <datalist id={id}>
            {[...new Set(suggestions)].slice(0, 200).map((key) => (
              <option key={key} value={`${before}${key}=`} />
            ))}
          </datalist>
        </label>
        <button type="submit" className={`button ${text.trim() === applied ? "" : "button-primary"}`}>
          {texts.run}
        </button>
        <Popover className="button button-quiet button-icon" label={texts.help} button={<Icon name="help" />}>
          <div className="section">
            <h3>{texts.help}</h3>
            <p>{texts.helpIntro}</p>
            <dl className="pairs">
              {texts.helpRows.map(([code, meaning]) => (
                <Row key={code} code={code} meaning={meaning} />
              ))}
            </dl>
          </div>
        </Popover>
      </span>
      {position !== null && (
        <p className="field-error" role="alert">
          {errors.queryAt(position, problem?.expected ?? "")}
        </p>
      )}
    </form>
  );
}

function Row({ code, meaning }: { code: string; meaning: string }): ReactNode {
  return (
    <>
      <dt>
        <code>{code}</code>
      </dt>
      <dd>
        <span className="value">{meaning}</span>
      </dd>
    </>
  );
}
