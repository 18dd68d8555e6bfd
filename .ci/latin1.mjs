/** Characters of scripts: none is beyond Latin-1. */

/** Node keeps the text of a module: with one character beyond Latin-1, in two bytes for each of its characters. */
export const inLatin1 = (code) =>
  code.replace(/[\u0100-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
