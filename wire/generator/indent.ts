/** Indents lines by the braces, brackets and cases that are open before them. */
export function indented(code: string): string {
  let depth = 0;
  const lines: string[] = [];
  for (const line of code.split("\n")) {
    if (/^[}\])]/.test(line)) depth -= 1;
    lines.push(line === "" ? "" : "  ".repeat(depth) + line);
    if (/[{[(]$/.test(line)) depth += 1;
  }
  return lines.join("\n");
}
