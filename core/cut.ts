import { BANDS } from '#core/profile.ts';
import { quoteIdentifier } from '#core/sql.ts';

/** What a cut may speak of: the numbers of a skinny part, and what the profile says of each row. */
export const CUT_COLUMNS: readonly string[] = [
  ...['ra', 'dec', 'primary', 'extendedness', 'ebv'],
  ...BANDS.flatMap((band) => [`mag_${band}`, `magerr_${band}`]),
];

export type Cut =
  /** `sql` is written by this file from what was understood; no character of the source is copied. */
  | { readonly ok: true; readonly sql: string; readonly columns: readonly string[] }
  | { readonly ok: false; readonly problem: string };

const LONGEST = 2000;
const DEEPEST = 50;
const TOKEN = /\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|(<=|>=|<>|!=|[<>=()+-]))/y;
const COMPARISONS: readonly string[] = ['<', '<=', '>', '>=', '=', '<>', '!='];
const WORDS: readonly string[] = ['and', 'or', 'not', 'between', 'is', 'null'];

/**
 * Reads a cut, for instance `mag_i between 16 and 24 and not (magerr_i > 0.2 or mag_g is null)`:
 *
 *     or:        and {"or" and}              and: not {"and" not}
 *     not:       "not" not | "(" or ")" | predicate
 *     predicate: operand (comparison operand | ["not"] "between" operand "and" operand | "is" ["not"] "null")
 *     operand:   column | ["-" | "+"] number
 *
 * Meant as SQL means it: a comparison with NULL is unknown, and only a row for which the whole is true stays.
 */
export function parseCut(text: string, known: readonly string[] = CUT_COLUMNS): Cut {
  if (text.length > LONGEST) return { ok: false, problem: `it has ${text.length} characters; ${LONGEST} at most` };
  try {
    const parser = new CutParser(tokens(text), known);
    const sql = parser.whole();
    return { ok: true, sql, columns: [...parser.columns].sort() };
  } catch (error) {
    if (error instanceof CutError) return { ok: false, problem: error.message };
    throw error;
  }
}

interface Token {
  readonly kind: 'number' | 'word' | 'sign' | 'end';
  readonly text: string;
  /** Counted from 1. */
  readonly at: number;
}

class CutError extends Error {
  override readonly name = 'CutError';
}

function tokens(text: string): readonly Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  const end = text.trimEnd().length;
  while (TOKEN.lastIndex < end) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) {
      const at = from + (text.slice(from).match(/\S/)?.index ?? 0);
      throw new CutError(`${JSON.stringify(text[at])} at character ${at + 1} means nothing here`);
    }
    const [, number, word, sign] = match;
    const own = number ?? word ?? sign ?? '';
    const kind = number !== undefined ? 'number' : word !== undefined ? 'word' : 'sign';
    found.push({ kind, text: own, at: TOKEN.lastIndex - own.length + 1 });
  }
  found.push({ kind: 'end', text: 'the end', at: end + 1 });
  return found;
}

class CutParser {
  readonly columns = new Set<string>();
  readonly #tokens: readonly Token[];
  readonly #known: readonly string[];
  #position = 0;
  #depth = 0;

  constructor(all: readonly Token[], known: readonly string[]) {
    this.#tokens = all;
    this.#known = known;
  }

  whole(): string {
    const sql = this.#or();
    if (this.#next.kind !== 'end') throw this.#wrong('and, or, or the end');
    return sql;
  }

  #or(): string {
    const terms = [this.#and()];
    while (this.#take('or')) terms.push(this.#and());
    return terms.length === 1 ? terms.join() : `(${terms.join(' OR ')})`;
  }

  #and(): string {
    const terms = [this.#not()];
    while (this.#take('and')) terms.push(this.#not());
    return terms.length === 1 ? terms.join() : `(${terms.join(' AND ')})`;
  }

  #not(): string {
    this.#depth += 1;
    if (this.#depth > DEEPEST) throw new CutError(`it is nested more than ${DEEPEST} deep`);
    const sql = this.#take('not') ? `(NOT ${this.#not()})` : this.#take('(') ? this.#group() : this.#predicate();
    this.#depth -= 1;
    return sql;
  }

  #group(): string {
    const sql = this.#or();
    this.#expect(')');
    return sql;
  }

  #predicate(): string {
    const left = this.#operand();
    if (this.#take('is')) {
      const negated = this.#take('not');
      this.#expect('null');
      return `(${left} IS ${negated ? 'NOT ' : ''}NULL)`;
    }
    const negated = this.#take('not');
    if (negated || this.#next.text.toLowerCase() === 'between') {
      this.#expect('between');
      const low = this.#operand();
      this.#expect('and');
      return `(${left} ${negated ? 'NOT ' : ''}BETWEEN ${low} AND ${this.#operand()})`;
    }
    const comparison = this.#next;
    if (!COMPARISONS.includes(comparison.text)) throw this.#wrong('a comparison, between, or is null');
    this.#position += 1;
    return `(${left} ${comparison.text === '!=' ? '<>' : comparison.text} ${this.#operand()})`;
  }

  #operand(): string {
    const sign = this.#take('-') ? -1 : this.#take('+') ? 1 : null;
    const token = this.#next;
    if (token.kind === 'number') {
      const value = Number(token.text) * (sign ?? 1);
      if (!Number.isFinite(value)) throw new CutError(`${token.text} at character ${token.at} is too large`);
      this.#position += 1;
      return value.toExponential();
    }
    if (sign !== null) throw this.#wrong('a number');
    if (token.kind !== 'word' || WORDS.includes(token.text.toLowerCase())) throw this.#wrong('a column or a number');
    if (!this.#known.includes(token.text)) {
      throw new CutError(`there is no column ${token.text} (character ${token.at}); known: ${this.#known.join(', ')}`);
    }
    this.#position += 1;
    this.columns.add(token.text);
    return quoteIdentifier(token.text);
  }

  get #next(): Token {
    return this.#tokens[this.#position] ?? { kind: 'end', text: 'the end', at: 1 };
  }

  /** Passes over the next token if it is this keyword or sign. */
  #take(text: string): boolean {
    if (this.#next.kind === 'end' || this.#next.text.toLowerCase() !== text) return false;
    this.#position += 1;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw this.#wrong(text);
  }

  #wrong(expected: string): CutError {
    return new CutError(`expected ${expected} at character ${this.#next.at}, found ${this.#next.text}`);
  }
}
