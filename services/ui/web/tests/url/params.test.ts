import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { paths } from "../../src/pages/registry";
import { changed, linkSearch, nameOfOldPath, safeReturn } from "../../src/url/params";

describe("changed", () => {
  it("sets, removes and keeps", () => {
    expect(changed("?a=1&b=2", { b: null, c: "x y", d: "" })).toBe("?a=1&c=x+y");
    expect(changed("?a=1", { a: null })).toBe("");
  });

  it("reads back any text", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: "grapheme" }), (value) => {
        expect(new URLSearchParams(changed("?from=now-1h", { q: value })).get("q")).toBe(value);
      }),
    );
  });
});

it("links keep what all pages share and nothing else", () => {
  expect(linkSearch("?from=now-3h&to=now&service=cart&tz=UTC&refresh=10s", { q: "x" })).toBe(
    "?from=now-3h&to=now&tz=UTC&refresh=10s&q=x",
  );
  expect(linkSearch("", {})).toBe("");
  expect(linkSearch("?from=now-3h", { from: null })).toBe("");
});

describe("safeReturn", () => {
  it.each(["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)", "", null, "/sign-in?return=%2F"])(
    "refuses %j",
    (text) => {
      expect(safeReturn(text)).toBe("/");
    },
  );

  it("keeps our own paths with their query", () => {
    expect(safeReturn("/traces/abc?span=1#x")).toBe("/traces/abc?span=1#x");
  });

  it("never leaves the origin", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(new URL(safeReturn(text), "https://airis.example").origin).toBe("https://airis.example");
      }),
    );
  });
});

describe("names", () => {
  /** Any text that UTF-8 can write. Built by hand: the generator's own unit for it takes seconds to set up. */
  const ANY_NAME = fc
    .array(fc.integer({ min: 0, max: 0x10ffff }).filter((point) => point < 0xd800 || point > 0xdfff), { minLength: 1, maxLength: 20 })
    .map((points) => String.fromCodePoint(...points));

  /** What stores have been seen to hold, and what breaks paths. */
  const NASTY = [
    "\\Processor(_Total)\\% Processor Time", "CORP\\svc", "a/../b", ".", "..", "../..", "/", "//", "x/operations", "a\tb", "a\nb", "a\r\nb",
    "a\u0000b", "%", "%2F", "%00", "%zz", "a?b=c&d#e", "a+b c", " ", "한글 서비스", "한글".normalize("NFD"), "👩‍👩‍👧‍👦", "\u202Eevil", "\uFEFF",
    "x".repeat(2000), "name=1&name=2", "<b>", "'\"",
  ];

  function address(name: string): URL {
    return new URL(paths.service + linkSearch("?from=now-3h", { name }), "http://airis.test");
  }

  it.each(NASTY)("%j opens its own page", (name) => {
    expect(address(name).pathname).toBe("/service");
    expect(address(name).searchParams.get("name")).toBe(name);
    expect(address(name).searchParams.get("from")).toBe("now-3h");
  });

  it("whatever they are made of", () => {
    fc.assert(
      fc.property(ANY_NAME, (name) => {
        expect(new URL(address(name).href).searchParams.get("name")).toBe(name);
        expect(address(name).pathname).toBe("/service");
      }),
    );
  });

  it("are read from links of the first version", () => {
    fc.assert(
      fc.property(ANY_NAME, (name) => {
        expect(nameOfOldPath(`/services/${encodeURIComponent(name)}`, "/services")).toBe(name);
      }),
    );
    expect(nameOfOldPath("/services/a/b", "/services")).toBe("a/b");
    expect(nameOfOldPath("/services/100%", "/services")).toBe("100%");
  });
});
