import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { attributeKey, conjunction, hasTerm, narrowed, quoted, term, without } from "../../src/query/compose";
import { caretContext, tokenize, utf16Offset } from "../../src/query/tokens";

const kinds = (query: string) => tokenize(query).map((token) => `${token.kind}:${token.text}`);

describe("tokenize", () => {
  it.each<[string, string[]]>([
    ["", []],
    ["timeout", ["text:timeout"]],
    ["service=cart AND duration>=200ms", ["key:service", "operator:=", "value:cart", "keyword:AND", "key:duration", "operator:>=", "value:200ms"]],
    ['name = "GET /x (v2)" -OR', ["key:name", "operator:=", 'value:"GET /x (v2)"', "text:-OR"]],
    ["NOT (a=b OR c=~^x.*)", ["keyword:NOT", "paren:(", "key:a", "operator:=", "value:b", "keyword:OR", "key:c", "operator:=~", "value:^x.*", "paren:)"]],
    ["exists http.route", ["keyword:exists", "key:http.route"]],
    ["exists", ["text:exists"]],
    ['"odd key"!=1', ['key:"odd key"', "operator:!=", "value:1"]],
    ['resource."a b"=1', ['key:resource."a b"', "operator:=", "value:1"]],
    ["a=", ["key:a", "operator:="]],
    ['a="open', ["key:a", "operator:=", 'broken:"open']],
    ["= 5", ["broken:=", "text:5"]],
    ["f=x(y)z)", ["key:f", "operator:=", "value:x(y)z", "paren:)"]],
  ])("%s", (query, expected) => {
    expect(kinds(query)).toEqual(expected);
  });

  it("covers everything but spaces, in order, for any text", () => {
    fc.assert(
      fc.property(fc.string(), (query) => {
        let end = 0;
        for (const token of tokenize(query)) {
          expect(query.slice(end, token.start).trim()).toBe("");
          expect(query.slice(token.start, token.end)).toBe(token.text);
          expect(token.end).toBeGreaterThan(token.start);
          end = token.end;
        }
        expect(query.slice(end).trim()).toBe("");
      }),
    );
  });
});

describe("caretContext", () => {
  it.each<[string, unknown]>([
    ["|", { wants: "key", prefix: "", replace: [0, 0] }],
    ["serv|", { wants: "key", prefix: "serv", replace: [0, 4] }],
    ["service=|", { wants: "value", key: "service", operator: "=", prefix: "", replace: [8, 8] }],
    ["service= |", { wants: "value", key: "service", operator: "=", prefix: "", replace: [9, 9] }],
    ["service=ca|rt", { wants: "value", key: "service", operator: "=", prefix: "ca", replace: [8, 12] }],
    ['service="ca|', { wants: "value", key: "service", operator: "=", prefix: "ca", replace: [8, 11] }],
    ["a=b |", { wants: "key", prefix: "", replace: [4, 4] }],
    ["(a=b OR st|", { wants: "key", prefix: "st", replace: [8, 10] }],
    ['"odd key"=x|', { wants: "value", key: "odd key", operator: "=", prefix: "x", replace: [10, 11] }],
  ])("%s", (marked, expected) => {
    expect(caretContext(marked.replace("|", ""), marked.indexOf("|"))).toEqual(expected);
  });

  it("answers anywhere in any text", () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), (query, at) => {
        const context = caretContext(query, at % (query.length + 1));
        expect(context.replace[0]).toBeLessThanOrEqual(context.replace[1]);
      }),
    );
  });
});

describe("compose", () => {
  it("writes terms that read back as one key, operator and value", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string(), (name, value) => {
        const tokens = tokenize(term(attributeKey(name, "record"), "=", value));
        expect(tokens.map((token) => token.kind)).toEqual(["key", "operator", "value"]);
      }),
    );
  });

  it("quotes what would be read as something else", () => {
    expect(term("a", "=", "200")).toBe('a="200"');
    expect(term("a", "=", 200)).toBe("a=200");
    expect(term("a", "!=", "true")).toBe('a!="true"');
    expect(term("a", "=", 'say "hi"\\')).toBe('a="say \\"hi\\"\\\\"');
    expect(attributeKey("status", "record")).toBe('"status"');
    expect(attributeKey("http.route", "record")).toBe("http.route");
    expect(attributeKey("host.name", "resource")).toBe("resource.host.name");
    expect(attributeKey("a b", "resource")).toBe('resource."a b"');
    expect(quoted("a")).toBe('"a"');
  });

  it("narrows without changing what was there", () => {
    expect(narrowed("", "a=1")).toBe("a=1");
    expect(narrowed("b=2", "a=1")).toBe("b=2 a=1");
    expect(narrowed("b=2 OR c=3", "a=1")).toBe("(b=2 OR c=3) a=1");
    expect(narrowed("(b=2 OR c=3)", "a=1")).toBe("(b=2 OR c=3) a=1");
    expect(narrowed('"x OR y"', "a=1")).toBe('"x OR y" a=1');
    expect(narrowed("a=1 b=2", "a=1")).toBe("a=1 b=2");
    expect(hasTerm("b=2 a=1", "a=1")).toBe(true);
    expect(without("b=2 a=1 c=3", "a=1")).toBe("b=2 c=3");
    expect(conjunction("service=x", "", "a=1 OR b=2", "c=3")).toBe("service=x (a=1 OR b=2) c=3");
    expect(conjunction("a=1 OR b=2")).toBe("a=1 OR b=2");
    expect(conjunction("", " ")).toBe("");
  });
});

it("counts characters as the server does", () => {
  expect(utf16Offset("😀=1", 1)).toBe(2);
  expect(utf16Offset("abc", 2)).toBe(2);
});
