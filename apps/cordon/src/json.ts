/** What JSON may hold as it is and a terminal acts on, or shows in another order than it stands. */
const acting = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** One JSON object per line, for machines; a person who looks at it in a terminal must not be harmed by it. */
export function jsonLine(value: unknown): string {
  const text = JSON.stringify(value).replace(acting, escaped);
  return `${text}\n`;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
