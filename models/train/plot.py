"""Draws the loss curves of a training as an SVG. Usage: plot.py FOLDER, with text.csv, vae.csv and transformer.csv; writes FOLDER/loss.svg."""

import csv
import math
import pathlib
import sys

PANEL_WIDTH, PANEL_HEIGHT, LEFT, TOP = 300, 200, 60, 40


def panel(x0: float, title: str, points: list, second: list, label: str) -> list:
    """SVG of one panel: the loss (points: seconds, value) on a log scale; `second` linear, with its last value in the label."""
    end = max(p[0] for p in points)
    low = math.floor(math.log10(min(p[1] for p in points)))
    high = max(low + 1, math.ceil(math.log10(max(p[1] for p in points))))

    def at(seconds: float, part: float) -> str:
        return f"{x0 + PANEL_WIDTH * seconds / end:.1f},{TOP + PANEL_HEIGHT * (1 - part):.1f}"

    out = [f'<rect x="{x0}" y="{TOP}" width="{PANEL_WIDTH}" height="{PANEL_HEIGHT}" fill="none" stroke="#999"/>']
    out.append(f'<text x="{x0 + PANEL_WIDTH / 2}" y="{TOP - 14}" text-anchor="middle" font-weight="bold">{title}</text>')
    for power in range(low, high + 1):
        y = TOP + PANEL_HEIGHT * (1 - (power - low) / (high - low))
        out.append(f'<line x1="{x0}" x2="{x0 + PANEL_WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{x0 - 5}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>')
    out.append(f'<text x="{x0}" y="{TOP + PANEL_HEIGHT + 16}">0 s</text>')
    out.append(f'<text x="{x0 + PANEL_WIDTH}" y="{TOP + PANEL_HEIGHT + 16}" text-anchor="end">{end:.0f} s</text>')
    line = " ".join(at(s, (math.log10(v) - low) / (high - low)) for s, v in points)
    out.append(f'<polyline points="{line}" fill="none" stroke="#1f5fbf" stroke-width="1.6"/>')
    if second:
        top = max(v for _, v in second)
        line = " ".join(at(s, v / (top or 1) * 0.97) for s, v in second)
        out.append(f'<polyline points="{line}" fill="none" stroke="#c0392b" stroke-width="1.2" stroke-dasharray="4 3"/>')
        out.append(f'<text x="{x0 + PANEL_WIDTH - 6}" y="{TOP + PANEL_HEIGHT - 10}" text-anchor="end" fill="#c0392b">{label}</text>')
    return out


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    parts = []
    panels = (("text", "Text encoder", "all_right", "all right: {:.0%}"), ("vae", "Autoencoder", "psnr", "PSNR: {:.1f} dB"), ("transformer", "Transformer", "", ""))
    for i, (name, title, column, label) in enumerate(panels):
        with open(folder / f"{name}.csv") as file:
            rows = list(csv.DictReader(file))
        points = [(float(row["seconds"]), max(float(row["loss"]), 1e-12)) for row in rows]
        second = [(float(row["seconds"]), float(row[column])) for row in rows] if column else []
        parts += panel(LEFT + i * (PANEL_WIDTH + 80), title, points, second, label.format(second[-1][1]) if second else "")
    width = LEFT + 3 * (PANEL_WIDTH + 80)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{TOP + PANEL_HEIGHT + 30}" font-family="sans-serif" font-size="11">'
    (folder / "loss.svg").write_text("\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>"]) + "\n")


if __name__ == "__main__":
    main()
