/** The pages' style. `pages.test.ts` holds its hash to it. */
export const style: string =
  "body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}" +
  "code,pre{font:14px/1.45 ui-monospace,monospace}pre{background:#f4f6f8;padding:.75rem;overflow:auto;border-radius:6px}" +
  "h2{margin-top:2.5rem;border-bottom:1px solid #d8dee4}details{border:1px solid #d8dee4;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}" +
  "summary{cursor:pointer}b.get{color:#0a6b3d}b.post{color:#0b5394}b.patch{color:#8a5a00}b.delete{color:#a4262c}b{display:inline-block;min-width:4.2rem}" +
  "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid #e5e9ed}" +
  "form{margin:.75rem 0}input,button{font:inherit;padding:.15rem .4rem}small{color:#57606a}nav a{margin-right:1rem}@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}pre{background:#161b22}" +
  "h2,details{border-color:#30363d}td,th{border-color:#21262d}a{color:#6cb6ff}b.get{color:#57ab5a}b.post{color:#6cb6ff}b.patch{color:#daaa3f}b.delete{color:#f47067}small{color:#8b949e}}";
