import type { ReactNode } from "react";
import { useTimedQuery } from "../api/use-api";
import { useMessages } from "../i18n";
import { Select } from "../ui/select";
import { ServiceDot } from "../ui/service";
import { useParam, useSetParams } from "../url/params";

/** The `service` parameter of the URL, chosen from those with requests in the range. */
export function ServiceSelect(): ReactNode {
  const { common } = useMessages();
  const service = useParam("service");
  const setParams = useSetParams();
  const query = useTimedQuery("/api/v1/services");
  const options = (query.data?.services ?? [])
    .map(({ service: name }) => ({ value: name, label: name, before: <ServiceDot service={name} /> }))
    .sort((a, b) => a.label.localeCompare(b.label));
  return (
    <Select
      label={common.service}
      value={service}
      options={options}
      placeholder={common.anyService}
      clearable
      onChange={(value) => setParams({ service: value })}
    />
  );
}
