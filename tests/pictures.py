"""Draws the data of each dashboard: `cargo xtask pictures` has the stack's test write the series, and this make pictures of them.

Not Grafana's own drawing: the same queries, the same panels in the same places, the same units.
"""

import json
import math
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

MOST_SERIES = 12


def short(value):
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.2f} {letter}"
    return f"{value:.4g}"


def last(series):
    return series["points"][-1][1] if series["points"] else float("nan")


def draw_lines(axes, panel):
    shown = sorted(panel["series"], key=last, reverse=True)[:MOST_SERIES]
    end = max((point[0] for series in shown for point in series["points"]), default=0)
    if panel["stacked"]:
        times = sorted({point[0] for series in shown for point in series["points"]})
        rows = [[dict(map(tuple, series["points"])).get(time, 0.0) for time in times] for series in shown]
        axes.stackplot([time - end for time in times], rows, labels=[series["legend"] for series in shown])
    else:
        for series in shown:
            times = [point[0] - end for point in series["points"]]
            axes.plot(times, [point[1] for point in series["points"]], label=series["legend"], linewidth=1)
    axes.set_xlabel("seconds before now", fontsize=6)
    axes.tick_params(labelsize=6)
    axes.grid(alpha=0.3)
    if shown:
        axes.legend(fontsize=5, loc="upper left")


def draw_bars(axes, panel):
    shown = [series for series in panel["series"] if math.isfinite(last(series))][:MOST_SERIES]
    names = [series["legend"][:34] for series in shown]
    axes.barh(names, [last(series) for series in shown])
    for place, series in enumerate(shown):
        axes.text(0, place, " " + short(last(series)), fontsize=6, va="center")
    axes.invert_yaxis()
    axes.tick_params(labelsize=6)


def draw_points(axes, panel):
    across = {series["legend"]: last(series) for series in panel["queries"][0]}
    up = {series["legend"]: last(series) for series in panel["queries"][1]}
    for name in across.keys() & up.keys():
        axes.scatter(across[name], up[name])
        axes.annotate(name, (across[name], up[name]), fontsize=6)
    axes.tick_params(labelsize=6)
    axes.grid(alpha=0.3)


def draw_number(axes, panel):
    text = "  ".join(short(last(series)) for series in panel["series"][:3]) or "no data yet"
    axes.text(0.5, 0.5, text, fontsize=15, ha="center", va="center")
    axes.axis("off")


def draw_table(axes, panel):
    names = sorted({series["legend"] for query in panel["queries"] for series in query})[:MOST_SERIES]
    columns = [{series["legend"]: last(series) for series in query} for query in panel["queries"]]
    cells = [[name[:60]] + [short(column.get(name)) for column in columns] for name in names]
    axes.axis("off")
    if cells:
        heads = ["series"] + panel["columns"]
        heads = (heads + [""] * len(cells[0]))[: len(cells[0])]
        widths = [0.5] + [0.5 / len(columns)] * len(columns)
        table = axes.table(cellText=cells, colLabels=heads, loc="upper center", colWidths=widths, cellLoc="left")
        table.auto_set_font_size(False)
        table.set_fontsize(6)


DRAW = {
    "timeseries": draw_lines,
    "bargauge": draw_bars,
    "piechart": draw_bars,
    "xychart": draw_points,
    "stat": draw_number,
    "gauge": draw_number,
    "table": draw_table,
}


def draw(dashboard, folder):
    bottom = max(panel["y"] + panel["h"] for panel in dashboard["panels"])
    width, height = 14, bottom * 0.36 + 0.5
    figure = plt.figure(figsize=(width, height))
    figure.suptitle(dashboard["title"], fontsize=12, x=0.02, ha="left")
    top = 1 - 0.5 / height
    for panel in dashboard["panels"]:
        unit = 24
        left = panel["x"] / unit
        low = top * (1 - (panel["y"] + panel["h"]) / bottom)
        room = top * panel["h"] / bottom
        wide = panel["w"] / unit
        inner = [left + 0.03, low + room * 0.14, wide - 0.045, room * 0.66]
        if panel["type"] in ("bargauge", "piechart"):
            inner[0] += wide * 0.3
            inner[2] -= wide * 0.3
        axes = figure.add_axes(inner)
        figure.text(left + 0.008, low + room * 0.9, f"{panel['title']}  [{panel['unit']}]", fontsize=8, weight="bold")
        DRAW[panel["type"]](axes, panel)
    path = folder / f"{dashboard['uid']}.png"
    figure.savefig(path, dpi=72)
    plt.close(figure)
    print(path)


def main():
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.glob("*.json")):
        draw(json.loads(file.read_text()), folder)


main()
