/** A piece of markup that is safe to put into a page: its texts were escaped when it was made. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What a template may hold: texts and numbers are escaped, markup stays as it is, null is nothing. */
type Part = string | number | Html | readonly Html[] | null;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Markup from a template. No text can leave its element or its attribute, provided that attributes are quoted. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.map((string, index) => string + render(parts[index] ?? null)).join(''));
}

function render(part: Part): string {
  if (part === null) return '';
  if (part instanceof Html) return part.text;
  if (isList(part)) return part.map((each) => each.text).join('');
  return String(part).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

/** Narrows a read-only array, which `Array.isArray` alone does not. */
function isList(part: Part): part is readonly Html[] {
  return Array.isArray(part);
}
