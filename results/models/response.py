"""TCP's response function: the mean window that a loss rate leaves to a flow. It knows no time-outs, no start and no queue.

Sources: Mathis, Semke, Mahdavi and Ott, "The Macroscopic Behavior of the TCP Congestion Avoidance Algorithm", CCR 1997;
RFC 9438, section 5.2 and its tables.
"""

from __future__ import annotations

C, BETA = 0.4, 0.7
"""Cubic's constants (RFC 9438, sections 4.1 and 4.6)."""


def mean_window(congestion_control: str, loss: float, rtt_s: float) -> float:
    """Segments, where one in 1 / `loss` packets is lost. Cubic is never below what is friendly to reno. Raises ValueError for
    a congestion control whose window does not follow losses so."""
    reno: float = (1.5 / loss) ** 0.5
    if congestion_control == "reno":
        return reno
    if congestion_control != "cubic":
        raise ValueError(f"there is no response function of {congestion_control}; it knows reno and cubic")
    cubic: float = (C * (3 + BETA) / (4 * (1 - BETA))) ** 0.25 * rtt_s**0.75 / loss**0.75
    return max(reno, cubic)
