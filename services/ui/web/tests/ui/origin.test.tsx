// @vitest-environment jsdom
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { OriginSections } from "../../src/ui/origin";
import { makeSpan } from "../pages/span";

afterEach(cleanup);

it("shows entities by the attributes that identify them, schemas and what was dropped", () => {
  const span = makeSpan({
    resource_attributes: { "host.id": "4f2a", "host.name": "web-1" },
    resource_dropped_attributes_count: 2,
    resource_entity_refs: [{ schema_url: "", type: "host", id_keys: ["host.id", "host.zone"], description_keys: ["host.name"] }],
    resource_schema_url: "https://opentelemetry.io/schemas/1.30.0",
    scope: { name: "shop", version: "1.2", attributes: {}, dropped_attributes_count: 3 },
  });
  render(<OriginSections of={span} actions={(key) => <button type="button">{`only ${key}`}</button>} />);
  const shown = screen.getAllByRole("definition").map((item) => item.querySelector(".value")?.textContent);
  expect(shown).toEqual(["4f2a", "web-1", "host.id=4f2a host.zone", "https://opentelemetry.io/schemas/1.30.0", "shop 1.2"]);
  expect(screen.getAllByRole("heading").map((heading) => heading.textContent)).toEqual([
    "Resource 2 dropped by the SDK",
    "Scope 3 dropped by the SDK",
  ]);
  expect(screen.getByRole("button", { name: "only host.id" })).toBeDefined();
});
