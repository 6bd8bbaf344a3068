/*
 * What the browser test asks of a page: expressions that run inside it, so texts and not functions.
 */

/** Whether the page itself, and not only a part of it, is wider than the window. */
export const OVERFLOWS = 'document.documentElement.scrollWidth > document.documentElement.clientWidth';

/** The headings' levels, in their order. */
export const HEADING_LEVELS = `[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map((each) => Number(each.tagName[1]))`;

/**
 * The texts whose contrast with what lies behind them is below 4.5, the least that WCAG 2.2 asks of ordinary text
 * (success criterion 1.4.3, with its formula for the relative luminance).
 */
export const PALE_TEXTS = `(() => {
  const channels = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const isOpaque = (color) => { const [, , , alpha = 1] = channels(color); return color !== 'transparent' && alpha === 1; };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const { backgroundColor } = getComputedStyle(each);
      if (isOpaque(backgroundColor)) return backgroundColor;
    }
    return getComputedStyle(document.documentElement).colorScheme === 'dark' ? 'rgb(0, 0, 0)' : 'rgb(255, 255, 255)';
  };
  const ownText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '');
  const pale = [];
  for (const element of document.body.querySelectorAll('*')) {
    if (!ownText(element) || ['TITLE', 'DESC', 'title', 'desc'].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const [a, b] = [luminance(element.ownerSVGElement ? style.fill : style.color), luminance(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) pale.push(element.tagName + ' ' + element.textContent.trim().slice(0, 40) + ' ' + contrast.toFixed(2));
  }
  return pale;
})()`;
