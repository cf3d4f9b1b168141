"""A sheet of SVG: shapes and text, each escaped, none outside the sheet. It is no plotting library.

Colours are CSS variables with a fallback, so that a figure follows the light or dark page it stands in, and still
shows when its file is opened alone. The same calls give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

INK, MUTED, GRID, PANEL, SHEET = (
    "var(--ink,#1d2329)", "var(--muted,#5d6770)", "var(--grid,#dde2e6)", "var(--panel,#f3f5f7)", "var(--sheet,#ffffff)",
)  # fmt: skip
SERIES = tuple(f"var(--series-{n},{colour})" for n, colour in enumerate(
    ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#b07d00", "#56b4e9"), start=1))  # fmt: skip
"""Okabe and Ito's colour-blind-safe palette (2008), its yellow darkened to be seen on white."""
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "1 2")
"""A second sign beside the colour, for print and for every kind of sight."""

FONT = "system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif"
_NARROW, _WIDE = frozenset("ijlI.,:;|'!()[] ft-/·"), frozenset("mwMWO@%—…QG")


def text_width(text: str, size: float = 13) -> float:
    """Estimated width in px, as DejaVu Sans (a wide face) would set it: rather too much than too little."""
    return sum(0.39 if one in _NARROW else 0.93 if one in _WIDE else 0.70 if one.isupper() else 0.625 for one in text) * size


def fit(text: str, width: float, size: float = 13) -> str:
    """The text, or its beginning with an ellipsis, so that it is no wider than `width` px."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


class Canvas:
    """A sheet `width` px wide; its height is given at the end. Raises ValueError for text that would be clipped."""

    def __init__(self, width: float) -> None:
        self.width = width
        self._body: list[str] = []
        self._lowest = 0.0

    def text(self, x: float, y: float, text: str, *, size: float = 13, anchor: str = "start", colour: str = INK,
             bold: bool = False, turned: bool = False, hint: str = "") -> None:  # fmt: skip
        """One line of text with its base line at `y`. `hint` is shown when the pointer rests on it."""
        long = text_width(text, size)
        left = x - (0 if turned else {"start": 0.0, "middle": long / 2, "end": long}[anchor])
        if left < -0.5 or (not turned and left + long > self.width + 0.5) or y < size * 0.7:
            raise ValueError(f"'{text}' at {x:.0f}, {y:.0f} does not fit on a sheet {self.width:.0f} px wide")
        self._lowest = max(self._lowest, y + size * 0.3)
        title = f"<title>{escape(hint)}</title>" if hint and hint != text else ""
        self._body.append(
            f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" text-anchor="{anchor}"'
            + (' font-weight="600"' if bold else "") + (f' transform="rotate(-90 {_n(x)} {_n(y)})"' if turned else "")
            + f' style="fill:{colour}">{title}{escape(text)}</text>')  # fmt: skip

    def line(self, x1: float, y1: float, x2: float, y2: float, *, colour: str = GRID, width: float = 1, dash: str = "",
             ) -> None:  # fmt: skip
        self._body.append(f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"{_stroke(colour, width, dash)}/>')

    def path(self, points: Sequence[tuple[float, float]], *, colour: str, width: float = 2, dash: str = "") -> None:
        """An open line through points."""
        steps = "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
        self._body.append(f'<path d="M{steps}"{_stroke(colour, width, dash, "fill:none;stroke-linejoin:round;")}/>')

    def strokes(self, strokes: Sequence[tuple[float, float, float]], *, colour: str, width: float = 2) -> None:
        """Many upright strokes (x, from y, to y) as one shape, so that thousands stay light. None is shorter than a pixel."""
        if strokes:
            steps = "".join(f"M{_n(x)} {_n(low)}V{_n(min(high, low - 1))}" for x, low, high in strokes)
            self._body.append(f'<path d="{steps}"{_stroke(colour, width, "", "fill:none;")}/>')

    def curve(self, start: tuple[float, float], bend: tuple[float, float], end: tuple[float, float], *, colour: str,
              width: float = 2, dash: str = "") -> None:  # fmt: skip
        """A quadratic curve."""
        (a, b), (c, d), (e, f) = start, bend, end
        self._body.append(f'<path d="M{_n(a)} {_n(b)}Q{_n(c)} {_n(d)} {_n(e)} {_n(f)}"'
                          f'{_stroke(colour, width, dash, "fill:none;")}/>')  # fmt: skip

    def box(self, x: float, y: float, width: float, height: float, *, colour: str, round_px: float = 0,
            outline: str = "", opacity: float = 1.0, hint: str = "") -> None:  # fmt: skip
        self._lowest = max(self._lowest, y + height)
        look = (
            f"fill:{colour}"
            + (f";stroke:{outline}" if outline else "")
            + (f";fill-opacity:{_n(opacity)}" if opacity < 1 else "")
        )
        inside = f"><title>{escape(hint)}</title></rect>" if hint else "/>"
        self._body.append(f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(max(width, 0))}" height="{_n(height)}"'
                          + (f' rx="{_n(round_px)}"' if round_px else "") + f' style="{look}"{inside}')  # fmt: skip

    def dot(self, x: float, y: float, radius: float, *, colour: str, opacity: float = 1.0, outline: str = "") -> None:
        look = f"fill:{colour}" + (f";stroke:{outline};stroke-width:1.5" if outline else "")
        look += f";fill-opacity:{_n(opacity)}" if opacity < 1 else ""
        self._body.append(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" style="{look}"/>')

    def svg(self, title: str, height: float | None = None) -> str:
        """The document; as high as what is on it unless `height` is given."""
        high = self._lowest + 8 if height is None else height
        if self._lowest > high + 0.5:
            raise ValueError(f"a sheet {high:.0f} px high clips what reaches to {self._lowest:.0f}")
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(self.width)} {_n(high)}" '
                f'width="{_n(self.width)}" height="{_n(high)}" role="img" aria-label={quoteattr(title)} '
                f'font-family="{FONT}"><title>{escape(title)}</title>' + "".join(self._body) + "</svg>\n")  # fmt: skip


def _stroke(colour: str, width: float, dash: str, more: str = "") -> str:
    dashed = f";stroke-dasharray:{dash}" if dash else ""
    return f' style="{more}stroke:{colour};stroke-width:{_n(width)}{dashed}"'


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if value else "0"
