"""The choice between the backends: the kernel's netem where it can do what was asked, else the relay.

It makes no link.
"""

from __future__ import annotations

from . import netem, relay_backend
from .backend import Backend, UnsupportedError


def choose(wanted: str = "auto", *, seed_demanded: bool = False) -> Backend:
    """The backend for `auto`, `netem` or `relay`; its `describe()["why"]` says why. Raises UnsupportedError.

    `seed_demanded` says that the user asked for repeatable loss and jitter: kernels before 6.6 have no netem seed, so
    `auto` then takes the relay and `netem` is refused.
    """
    if wanted not in ("auto", "netem", "relay"):
        raise ValueError(f"link backend '{wanted}' is none of auto, netem, relay")
    if wanted == "relay":
        return relay_backend.RelayBackend(why="asked for")
    ability = netem.ability()
    reason = ability.reason
    if not reason and seed_demanded and not ability.seed:
        reason = "a seed was asked for, and this kernel's netem or this tc takes none (both need version 6.6 or newer)"
    if not reason:
        return netem.NetemBackend(ability, why="asked for" if wanted == "netem" else "this kernel has netem")
    if wanted == "netem":
        raise UnsupportedError(f"could not use the netem links: {reason}; use --link relay (or auto)")
    return relay_backend.RelayBackend(why=f"netem is not usable here: {reason}")
