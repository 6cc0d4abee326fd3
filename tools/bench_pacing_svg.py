"""Drawings of tools/bench-pacing: resident memory, heap and goal over time, one panel for each form."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, HEAD, FOOT, TITLE = 860, 150, 64, 100, 26, 34, 30
PANEL = HEAD + HEIGHT + FOOT
MOST_POINTS = 1500
STYLE = """<style>
text { font: 12px sans-serif; fill: #222 } .small { font-size: 11px; fill: #555 } .heading { font-size: 15px; font-weight: bold }
.axis { stroke: #bbb; fill: none } .grid { stroke: #eee } .mark { stroke: #999; stroke-dasharray: 2 3 }
.rss { stroke: #1f4e9c; fill: none; stroke-width: 2 } .heap { stroke: #2e8b57; fill: none; stroke-width: 1.2 }
.goal { stroke: #c0392b; fill: none; stroke-width: 1.5; stroke-dasharray: 5 3 } .limit { stroke: #e08e0b; stroke-width: 1.5 }
</style>"""


def nice(value):
    """A round number that is not below."""
    size = 10.0 ** math.floor(math.log10(value))
    return next(size * n for n in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if size * n >= value)


def text(x, y, content, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escape(content)}</text>'


def line(kind, points):
    return f'<polyline class="{kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def rss_points(result):
    """(seconds since the clock began, MiB); of many samples the largest of a few neighbours."""
    samples, tick = result["rss_kib"], result["tick_ms"] / 1000
    step = max(1, len(samples) // MOST_POINTS)
    return [((i + step) * tick, max(samples[i:i + step]) / 1024) for i in range(0, len(samples), step)]


def heap_points(result):
    points = []
    for c in result["cycles"]:
        begin = c["begin"] - result["clock_s"]
        end = begin + c["wall_ms"] / 1000
        points += [(begin, c["start"]), (end, c["end"]), (end, c["live"])]
    return points


def goal_points(result):
    """Each cycle's goal held from the end of the one before."""
    points, since = [], 0.0
    for c in result["cycles"]:
        end = c["begin"] - result["clock_s"] + c["wall_ms"] / 1000
        points += [(since, c["goal"]), (end, c["goal"])]
        since = end
    return points


def panel(label, result, top, seconds, most, limit_mib):
    x_of = lambda s: LEFT + (WIDTH - LEFT - RIGHT) * min(max(s, 0), seconds) / seconds
    y_of = lambda mib: top + HEAD + HEIGHT * (1 - min(mib, most) / most)
    bottom = top + HEAD + HEIGHT
    out = [text(LEFT, top + 16, label, ' class="heading"')]
    for i in range(6):
        y = y_of(most * i / 5)
        out.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        out.append(text(LEFT - 6, y + 4, f"{most * i / 5:g}", ' text-anchor="end" class="small"'))
        out.append(text(x_of(seconds * i / 5), bottom + 15, f"{seconds * i / 5:g} s", ' text-anchor="middle" class="small"'))
    out.append(text(LEFT - 6, top + HEAD - 10, "MiB", ' text-anchor="end" class="small"'))
    for name, at in [["start", result["started_s"]], *result["marks"]]:
        x = x_of(at - result["clock_s"])
        out.append(f'<line class="mark" x1="{x:.1f}" y1="{top + HEAD}" x2="{x:.1f}" y2="{bottom}"/>')
        if name != "collected":  # hard by the drop
            out.append(text(x, bottom + 28, name, ' text-anchor="middle" class="small"'))
    kinds = [("rss", "RSS", rss_points(result)), ("heap", "heap", heap_points(result)), ("goal", "goal", goal_points(result))]
    if limit_mib:
        kinds.append(("limit", "limit", [(0, limit_mib), (seconds, limit_mib)]))
    for i, (kind, name, points) in enumerate(entry for entry in kinds if entry[2]):
        out.append(line(kind, [(x_of(x), y_of(y)) for x, y in points]))
        y = top + HEAD + 12 + 16 * i
        out.append(line(kind, [(WIDTH - RIGHT + 6, y), (WIDTH - RIGHT + 24, y)]))
        out.append(text(WIDTH - RIGHT + 29, y + 4, name))
    out.append(f'<path class="axis" d="M{LEFT} {top + HEAD} V{bottom} H{WIDTH - RIGHT}"/>')
    return out


def draw(title, panels, limit_mib=0):
    """panels: (label, result of a run). One scale for all."""
    seconds = nice(max(len(result["rss_kib"]) * result["tick_ms"] / 1000 for _, result in panels) / 5) * 5
    heights = [mib for _, result in panels for points in (rss_points(result), heap_points(result)) for _, mib in points]
    most = nice(max(heights + [limit_mib]) / 5) * 5
    height = TITLE + PANEL * len(panels)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">',
           "<!-- drawn by tools/bench-pacing -->", STYLE, f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
           text(LEFT, 20, title)]
    for i, (label, result) in enumerate(panels):
        out += panel(label, result, TITLE + PANEL * i, seconds, most, limit_mib)
    return "\n".join(out + ["</svg>"]) + "\n"
