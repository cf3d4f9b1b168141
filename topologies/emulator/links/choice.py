"""The choice between the backends: the kernel's netem where it can do what was asked, else the relay.

It makes no link.
"""

from __future__ import annotations

from collections.abc import Iterable

from . import netem, relay_backend
from .backend import Backend, UnsupportedError
from .spec import LinkSpec


def choose(wanted: str = "auto", *, seed_demanded: bool = False, specs: Iterable[tuple[str, LinkSpec]] = ()) -> Backend:
    """The backend for `auto`, `netem` or `relay`; its `describe()["why"]` says why. Raises UnsupportedError.

    `seed_demanded` says that the user asked for repeatable fates, `specs` which links are to be made (by name), and what they
    are to become: where netem cannot do one of them, or not with that meaning, `auto` takes the relay and `netem` is refused.
    """
    if wanted not in ("auto", "netem", "relay"):
        raise ValueError(f"link backend '{wanted}' is none of auto, netem, relay")
    if wanted == "relay":
        return relay_backend.RelayBackend(why="asked for")
    ability = netem.ability()
    reason = ability.reason or _first_refusal(specs, ability, seed_demanded)
    if not reason:
        why = "asked for" if wanted == "netem" else "this kernel has netem"
        return netem.NetemBackend(ability, why=why, seed_demanded=seed_demanded)
    if wanted == "netem":
        raise UnsupportedError(f"could not use the netem links: {reason}; use --link relay (or auto)")
    return relay_backend.RelayBackend(why=f"netem is not usable here: {reason}")


def _first_refusal(specs: Iterable[tuple[str, LinkSpec]], ability: netem.Ability, seed_demanded: bool) -> str:
    for name, spec in specs:
        reasons = [] if spec.unshaped else netem.unsupported(spec, ability, seed_demanded=seed_demanded)
        if reasons:
            return f"link {name}: {'; '.join(reasons)}"
    return ""
