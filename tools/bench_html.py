"""What tools/bench draws: bars of its tables in SVG, and one page with all of it that needs no other file."""
from html import escape

WIDTH, LEFT, RIGHT, BAR, GAP, HEAD = 860, 120, 60, 13, 12, 56
COLOURS = ("#9aa5b1", "#6c8ebf", "#82b366", "#d6b656", "#b85450", "#1f4e9c", "#2e75b6", "#7fb2e5")
CSS = """body { font: 15px/1.45 sans-serif; color: #222; max-width: 900px; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; font-size: 13px; margin: .5em 0 1.5em } th, td { padding: 3px 9px; text-align: right }
th { border-bottom: 1px solid #999 } td:first-child, th:first-child { text-align: left } tr:nth-child(even) { background: #f5f5f5 }
code { background: #f0f0f0; padding: 1px 4px } dt { font-weight: bold } svg { max-width: 100% }"""


def number(cell):
    try:
        return float(cell)
    except ValueError:
        return None


def text(x, y, content, anchor="start", size=12):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-size="{size}">{escape(content)}</text>'


def legend(names):
    out, x, y = [], LEFT, 34
    for name, colour in zip(names, COLOURS):
        out += [f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}"/>', text(x + 14, y, name, size=11)]
        x += 26 + 7 * len(name)
    return out


def group(row, names, top, most):
    """The bars of one program. One that is longer than the drawing is cut, and says its value all the same."""
    out = [text(LEFT - 8, top + BAR * len(names) / 2 + 4, row[0], "end")]
    for i, cell in enumerate(row[1:]):
        value, y = number(cell), top + i * BAR
        if value is None:
            continue
        length = (WIDTH - LEFT - RIGHT) * min(value, most) / most
        out += [f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 3}" fill="{COLOURS[i % len(COLOURS)]}"/>',
                text(LEFT + length + 4, y + BAR - 4, cell, size=10)]
    return out


def bars(table, command):
    """One table as horizontal bars, a group for each row."""
    title, header, rows = table
    names = header[1:]
    values = sorted(v for row in rows for v in map(number, row[1:]) if v is not None)
    most = min(values[-1], 3 * values[len(values) // 2] or values[-1]) if values else 0
    most = most or 1
    step = BAR * len(names) + GAP
    height = HEAD + step * len(rows) + 20
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
           'font-family="sans-serif">', f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>', text(8, 16, title, size=14),
           *legend(names)]
    for i, row in enumerate(rows):
        out += group(row, names, HEAD + i * step, most)
    return "\n".join([*out, text(8, height - 6, command, size=10), "</svg>"]) + "\n"


def html_table(table):
    _, header, rows = table
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in header) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def page(tables, facts, command):
    out = ["<!doctype html>", '<html lang="en"><head><meta charset="utf-8"><title>Tricolor: benchmarks</title>',
           f"<style>{CSS}</style></head><body>", "<h1>Tricolor: benchmarks</h1>", f"<p><code>{escape(command)}</code></p>", "<dl>"]
    out += [f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items()]
    out.append("</dl>")
    for table in tables:
        out += [f"<h2>{escape(table[0])}</h2>", bars(table, command), html_table(table)]
    return "\n".join([*out, "</body></html>"]) + "\n"
