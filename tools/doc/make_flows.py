#!/usr/bin/env python3
"""make_flows.py > flows.svg: draws the way of a request and the way of a page, from the two lists below."""
from xml.sax.saxutils import escape

REQUEST = [
    ("malloc, tri_alloc", "gc/malloc_override.c, gc/api.c", "checks the size"),
    ("heap", "gc/heap.h, gc/heap.c", "fast path inline, the rest behind it"),
    ("size class", "alloc/sizeclass.h", "one of 68, with or without pointers"),
    ("mcache", "alloc/mcache.h, mcache.c", "the thread's own span: a free bit, no lock"),
    ("mcentral", "alloc/mcentral.c", "another span of the class; sweeps first"),
    ("mheap", "alloc/mheap.c", "a run of pages becomes a span; large objects"),
    ("page allocator", "alloc/pagealloc.c", "bitmap with summaries, lowest first"),
    ("the system", "alloc/os_linux.c", "makes more of the reserved range usable"),
]
REQUEST_LABELS = ["", "", "", "span full", "none with room", "no run free", "range used up"]

PAGE = [
    ("reserved", "alloc/mheap.c, os_linux.c", "an address, no memory"),
    ("free run", "alloc/pagealloc.c", "a bit per page"),
    ("span in use", "alloc/mspan.c", "slots of one size; bits beside the objects"),
    ("world stopped, roots listed", "gc/cycle.c, stop.c, roots.c", "stacks, registers, globals, mappings"),
    ("marked", "gc/mark.c, work.c, worker.c", "grey objects until none is left"),
    ("swept", "alloc/mspan_sweep.c", "allocated and marked stays"),
    ("free run again", "alloc/mheap.c, pagealloc.c", "a span without live slots"),
    ("back to the system", "alloc/os_linux.c", "runs of 1 MiB and more"),
]
PAGE_LABELS = ["grow", "span needed", "goal reached, or tri_gc()", "grey", "bits flipped", "all slots free", "after the sweep"]

WIDTH, HEIGHT, GAP, TOP = 450, 58, 34, 70


def box(x, y, title, files, text, number):
    return (f'<g><title>{escape(files)}</title>'
            f'<rect class="box" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
            f'<text class="title" x="{x + 12}" y="{y + 22}">{number}. {escape(title)}</text>'
            f'<text class="file" x="{x + WIDTH - 12}" y="{y + 22}" text-anchor="end">{escape(files)}</text>'
            f'<text class="text" x="{x + 12}" y="{y + 44}">{escape(text)}</text></g>')


def arrow(x, y, label):
    middle = x + WIDTH / 2
    return (f'<path class="arrow" d="M{middle} {y} V{y + GAP - 2}" marker-end="url(#head)"/>'
            f'<text class="text" x="{middle + 10}" y="{y + GAP / 2 + 5}">{escape(label)}</text>')


def column(x, heading, stages, labels):
    out = [f'<text class="heading" x="{x}" y="{TOP - 24}">{escape(heading)}</text>']
    for i, stage in enumerate(stages):
        y = TOP + i * (HEIGHT + GAP)
        out.append(box(x, y, *stage, i + 1))
        if i + 1 < len(stages):
            out.append(arrow(x, y + HEIGHT, labels[i]))
    return out


def round_trip(x, first, last, reach, label):
    """From stage `last` back to stage `first`, on the outside."""
    start, end = (TOP + i * (HEIGHT + GAP) + HEIGHT / 2 for i in (last, first))
    side = x + WIDTH + reach
    return [f'<path class="arrow" d="M{x + WIDTH} {start} H{side} V{end} H{x + WIDTH + 4}" marker-end="url(#head)"/>',
            f'<text class="text" transform="translate({side + 16} {(start + end) / 2}) rotate(-90)" '
            f'text-anchor="middle">{escape(label)}</text>']


def main():
    left, right = 30, 30 + WIDTH + 60
    width, height = right + WIDTH + 90, TOP + len(REQUEST) * (HEIGHT + GAP) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-label="The way of a request and the way of a page">',
        '<style>text{font:13px sans-serif;fill:#222}.heading{font-size:18px;font-weight:bold}.title{font-weight:bold}'
        '.file{font:12px monospace;fill:#0b5394}.text{fill:#444}.box{fill:#f5f7fa;stroke:#8899aa}'
        '.arrow{fill:none;stroke:#556677;stroke-width:1.5}</style>',
        '<defs><marker id="head" markerWidth="9" markerHeight="9" refX="7" refY="4" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="#556677"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        *column(left, "The way of a request", REQUEST, REQUEST_LABELS),
        *column(right, "The way of a page", PAGE, PAGE_LABELS),
        *round_trip(right, 2, 5, 24, "some slots live"),
        *round_trip(right, 1, 6, 56, "used again"),
        "</svg>",
    ]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
