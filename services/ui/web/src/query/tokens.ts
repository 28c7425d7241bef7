/**
 * The query language as the box needs it: coloured pieces, and what is being typed at the caret. The server decides what
 * is valid (libs/common/query); this reader never refuses, because half a query is what a box holds most of the time.
 */

export type TokenKind = "key" | "operator" | "value" | "text" | "keyword" | "paren" | "broken";

/** `start` and `end` are UTF-16 offsets, `end` exclusive. Spaces belong to no token. */
export interface Token {
  kind: TokenKind;
  text: string;
  start: number;
  end: number;
}

export const OPERATORS = ["!=", ">=", "<=", "=~", "!~", "=", ">", "<"] as const;
const WORD = /(?:[^\s"()=<>!]|!(?![=~]))+/y;
const SPACES = /\s+/y;

export function tokenize(query: string): Token[] {
  return new Reader(query).read();
}

class Reader {
  private position = 0;
  private readonly tokens: Token[] = [];

  constructor(private readonly query: string) {}

  read(): Token[] {
    this.skipSpaces();
    while (this.position < this.query.length) {
      this.term();
      this.skipSpaces();
    }
    return this.tokens;
  }

  private term(): void {
    const character = this.query[this.position];
    if (character === "(" || character === ")") {
      this.push("paren", this.position + 1);
    } else if (character === '"') {
      const closed = this.phrase("text");
      if (closed) this.comparison();
    } else {
      const end = this.match(WORD);
      if (end === null) {
        this.push("broken", this.position + 1);
        return;
      }
      const word = this.query.slice(this.position, end);
      if (word === "AND" || word === "OR" || word === "NOT") {
        this.push("keyword", end);
        return;
      }
      this.push("text", end);
      if (word === "resource." && this.query[this.position] === '"') {
        this.tokens.pop();
        this.position -= word.length;
        const start = this.position;
        const close = phraseEnd(this.query, start + word.length);
        this.push("text", close ?? this.query.length);
      }
      if (!this.comparison() && (word === "exists" || word === "EXISTS")) this.existsKey();
    }
  }

  /** `exists` is a keyword when a key follows, and a word to search for when nothing does. */
  private existsKey(): void {
    const before = this.position;
    this.skipSpaces();
    const end = this.query[this.position] === '"' ? phraseEnd(this.query, this.position) : this.match(WORD);
    if (end === null || this.position === before) {
      this.position = before;
      return;
    }
    const exists = this.tokens.at(-1);
    if (exists) exists.kind = "keyword";
    this.push("key", end);
  }

  /** Turns the last token into a key if an operator follows it. */
  private comparison(): boolean {
    const before = this.position;
    this.skipSpaces();
    const operator = OPERATORS.find((candidate) => this.query.startsWith(candidate, this.position));
    const key = this.tokens.at(-1);
    if (!operator || !key) {
      this.position = before;
      return false;
    }
    key.kind = "key";
    this.push("operator", this.position + operator.length);
    this.value();
    return true;
  }

  private value(): void {
    const before = this.position;
    this.skipSpaces();
    if (this.query[this.position] === '"') {
      this.phrase("value");
      return;
    }
    let depth = 0;
    let end = this.position;
    for (; end < this.query.length; end += 1) {
      const character = this.query[end] ?? "";
      if (/[\s"]/.test(character)) break;
      if (character === "(") depth += 1;
      if (character === ")" && --depth < 0) break;
    }
    if (end > this.position) this.push("value", end);
    else this.position = before;
  }

  private phrase(kind: TokenKind): boolean {
    const end = phraseEnd(this.query, this.position);
    this.push(end === null ? "broken" : kind, end ?? this.query.length);
    return end !== null;
  }

  private match(pattern: RegExp): number | null {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.query);
    return found ? pattern.lastIndex : null;
  }

  private skipSpaces(): void {
    this.position = this.match(SPACES) ?? this.position;
  }

  private push(kind: TokenKind, end: number): void {
    this.tokens.push({ kind, text: this.query.slice(this.position, end), start: this.position, end });
    this.position = end;
  }
}

function phraseEnd(query: string, start: number): number | null {
  for (let index = start + 1; index < query.length; index += 1) {
    if (query[index] === "\\" && (query[index + 1] === '"' || query[index + 1] === "\\")) index += 1;
    else if (query[index] === '"') return index + 1;
  }
  return null;
}

/** What the caret stands in: `replace` is the span that a suggestion takes the place of. */
export type CaretContext =
  | { wants: "key"; prefix: string; replace: [number, number] }
  | { wants: "value"; key: string; operator: string; prefix: string; replace: [number, number] };

export function caretContext(query: string, caret: number): CaretContext {
  const tokens = tokenize(query);
  const index = tokens.findIndex((token) => token.start < caret && caret <= token.end);
  const token = index === -1 ? undefined : tokens[index];
  const key = tokens[index - 2];
  const operator = tokens[index - 1];
  if (token?.kind === "operator") return valueContext(tokens[index - 1], token, "", [caret, caret]);
  if (token && (token.kind === "value" || token.kind === "broken") && operator?.kind === "operator") {
    const typed = query.slice(token.start, caret).replace(/^"/, "");
    return valueContext(key, operator, typed, [token.start, token.end]);
  }
  if (token && (token.kind === "key" || token.kind === "text")) {
    return { wants: "key", prefix: query.slice(token.start, caret), replace: [token.start, token.end] };
  }
  // Between tokens: after `key =` a value is wanted, anywhere else a new term begins.
  const before = tokens.filter((candidate) => candidate.end <= caret).at(-1);
  if (before?.kind === "operator") {
    return valueContext(tokens[tokens.indexOf(before) - 1], before, "", [caret, caret]);
  }
  return { wants: "key", prefix: "", replace: [caret, caret] };
}

function valueContext(
  key: Token | undefined,
  operator: Token,
  prefix: string,
  replace: [number, number],
): CaretContext {
  return { wants: "value", key: unquoted(key?.text ?? ""), operator: operator.text, prefix, replace };
}

function unquoted(text: string): string {
  const prefix = text.startsWith('resource."') ? "resource." : "";
  const rest = text.slice(prefix.length);
  if (!rest.startsWith('"')) return text;
  return prefix + rest.replace(/^"|"$/g, "").replace(/\\(["\\])/g, "$1");
}

/** The server counts characters, JavaScript UTF-16 units; emoji in a query would shift the error mark. */
export function utf16Offset(text: string, characters: number): number {
  return Array.from(text).slice(0, characters).join("").length;
}
