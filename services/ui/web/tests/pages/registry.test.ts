import { describe, expect, it } from "vitest";
import { NAVIGATION, NAVIGATION_GROUPS, PAGE_ENTRIES, ofService, paths } from "../../src/pages/registry";

const LOCALES = ["en", "ko"] as const;

describe("pages", () => {
  it("have an address, a shortcut and titles of their own", () => {
    for (const values of [PAGE_ENTRIES.map(([, { path }]) => path), NAVIGATION.map(({ keys }) => keys)]) {
      expect(new Set(values).size).toBe(values.length);
    }
    for (const locale of LOCALES) {
      const titles = NAVIGATION.map(({ title }) => title[locale]);
      expect(new Set(titles).size).toBe(titles.length);
    }
  });

  it("have texts in every language", () => {
    const titles = [...PAGE_ENTRIES.map(([, { title }]) => title), ...Object.values(NAVIGATION_GROUPS)];
    for (const title of titles) for (const locale of LOCALES) expect(title[locale].trim()).not.toBe("");
  });

  it("are named after their folders", () => {
    const modules = import.meta.glob("../../src/pages/*/page.tsx");
    const folders = Object.keys(modules).map((file) => file.split("/").at(-2));
    const registered = PAGE_ENTRIES.map(([id]) => id.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
    expect(registered.toSorted()).toEqual(folders.toSorted());
  });

  it("answer no path of the API or of the servers' own", () => {
    for (const [, { path }] of PAGE_ENTRIES) expect(path).not.toMatch(/^\/(api|v1|metrics|healthz|readyz|assets)(\/|$)/);
    expect(Object.keys(paths).toSorted()).toEqual(PAGE_ENTRIES.map(([id]) => id).toSorted());
  });
});

it("a service without a name is asked for by the query", () => {
  expect(ofService("")).toEqual({ query: 'service=""' });
  expect(ofService("shop")).toEqual({ service: "shop" });
});
