/**
 * What a text may hold that a terminal or a log acts on, or that changes what is seen beside it: control characters, and
 * those of format, which turn the direction of writing (U+202E) or cannot be seen; line and paragraph separators; and
 * halves of characters.
 */
const acting = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu;

/** A text from elsewhere in one line, with what acts in it written out: "\u202e". */
export function printable(text: string): string {
  return text.replaceAll(acting, escaped);
}

/** The same of a text of several lines, which are kept. */
export function printableLines(text: string): string {
  return text.replaceAll(acting, (character) => (character === '\n' ? character : escaped(character)));
}

/** As JSON writes it: a character beyond U+FFFF as its two halves. */
function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
  ).join('');
}
