"""How many round trips until the first byte? TCP, TLS 1.2 and 1.3, sessions resumed, TCP Fast Open, HTTP/3."""

from __future__ import annotations

from typing import Any, ClassVar

from experiments.harness.experiment import Arm, Experiment, Row, within
from experiments.harness.stage import Stage, StageError
from topologies.emulator import setting
from topologies.two_hosts import TwoHosts
from units import show_ms

BASIS = "RFC 9293, 5246, 8446, 7413 and 9000: one round trip for the request and its answer, and those that precede it"
ROUND_TRIPS = {"http": 2, "TLS1.2": 4, "TLS1.3": 3, "HTTP/3": 2}


class ConnectionSetup(Experiment):
    """A client fetches a small object on a new connection, set up in several ways. Before a resumed session or a fast open it
    has fetched once in the same way, so that it has a ticket or a cookie; before all others it has neither."""

    topology = TwoHosts
    topology_settings: ClassVar = {"rtt": "80ms"}
    minutes = 0.8
    ways = setting.words("http,http+fast,TLS1.2,TLS1.2+resumed,TLS1.3,TLS1.3+resumed,TLS1.3+resumed+fast",
                         "how connections are set up; also +early behind +resumed, which nginx serves, and HTTP/3, which Caddy "
                         "serves")  # fmt: skip
    groups = setting.text("X25519:P-256", "key exchanges to offer; with a post-quantum one TLS begins with more than a segment")
    size = setting.size("1KiB", "size of the object, less than the initial window")

    def question(self) -> str:
        rtt_ms, _ = self.world.path("client", "server")
        return f"How many round trips of {show_ms(rtt_ms)} pass until the first byte, by how the connection is set up?"

    def captures(self) -> tuple[str, ...]:
        return ("client", "server")

    def arms(self) -> list[Arm]:
        if unknown := [way for way in self.ways if way.split("+")[0] not in ROUND_TRIPS]:
            raise setting.SettingError(f"could not set up a connection by {unknown[0]}: the ways are {', '.join(ROUND_TRIPS)}, "
                                       "with +resumed, +early and +fast behind them; change ways")  # fmt: skip
        return [{"setup": way} for way in self.ways]

    def start(self, stage: Stage) -> None:
        stage.lab.node("client").tune({"net.ipv4.tcp_fastopen": "1"}, {})
        stage.lab.node("server").tune({"net.ipv4.tcp_fastopen": "1026"}, {})  # as server, on all listening sockets
        stage.origin("server")
        stage.origin("server", https=True)
        host = stage.lab.address("server")
        if any("early" in way for way in self.ways):
            stage.daemon("server", "nginx_edge", "--listen", f"{host}:9443", "--origin", f"http://{host}:80",
                         "--cache", str(stage.scratch / "nginx"), "--capacity", "10MiB",
                         "--tls-authority", str(stage.authority))  # fmt: skip
        if "HTTP/3" in self.ways:
            stage.daemon("server", "caddy", "--listen", f"{host}:8443", "--origin", f"http://{host}:80", "--tls-authority",
                         str(stage.authority))  # fmt: skip

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        """No cookie is left from before; then, where the arm wants it, one fetch that leaves a ticket or a cookie."""
        stage.lab.node("client").cmd("ip tcp_metrics flush all")
        if "+" in arm["setup"]:
            primed = self.fetch(stage, arm["setup"], early=False)  # early data leaves before a new ticket can come
            if not primed["ok"]:
                raise StageError(f"could not prime the connection: {primed['error']}")

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        row, setup = self.fetch(stage, arm["setup"]), arm["setup"]
        if row["ok"] and bool((row["tcp_info"] or {}).get("syn_data_acked")) != ("fast" in setup):
            row["unexpected"] = "the request went in the SYN where it should not, or did not where it should"
        elif row["ok"] and bool(row["tls_session_resumed"]) != ("resumed" in setup):
            row["unexpected"] = "a session was resumed where none should be, or none was where one should"
        elif row["ok"] and bool(row["early_data_bytes"]) != ("early" in setup):
            row["unexpected"] = "the request went with the first message of TLS where it should not, or did not where it should"
        return row if setup != "HTTP/3" else {**row, "url": ""}  # its capture has no TCP to hold it against

    def fetch(self, stage: Stage, setup: str, early: bool = True) -> Row:
        """One fetch, set up so; without `early` its request waits for the handshake."""
        port = ":8443" if setup == "HTTP/3" else ":9443" if "early" in setup else ""
        where = f"//server{port}/objects/{self.size}B/page"
        order: dict[str, Any] = {"fast_open": "fast" in setup, "early_data": early and "early" in setup}
        order["tls_groups"] = self.groups
        if setup == "HTTP/3":
            return stage.fetch("client", f"https:{where}", http_version="3", **order)
        if setup.startswith("TLS"):
            order.update(tls_version=setup[3:6], tls_session="reuse" if "resumed" in setup else "new")
        return stage.fetch("client", f"http{'s' if 'TLS' in setup else ''}:{where}", **order)

    def claims(self) -> list[dict[str, Any]]:
        rtt_ms, _ = self.world.path("client", "server")
        found = []
        for arm in self.arms():
            kind, *more = arm["setup"].split("+")
            trips = ROUND_TRIPS[kind] - ("fast" in more) - ("early" in more) - (kind == "TLS1.2" and "resumed" in more)
            found.append(within(arm["setup"], "first_byte_ms", arm, trips * rtt_ms, 0.02, 5, BASIS))
        return found

    def answer(self) -> dict[str, Any]:
        return {"template": f"The first byte comes after {', '.join(f'{{v{n}}} ({way})' for n, way in enumerate(self.ways))}.",
                "values": {f"v{n}": {"metric": "first_byte_ms", "where": one} for n, one in enumerate(self.arms())}}

    def figures(self) -> list[dict[str, Any]]:
        return [{"kind": "ecdf", "metric": "first_byte_ms", "by": "setup", "title": "Time to the first byte"},
                {"kind": "waterfall", "by": "setup"}]  # fmt: skip
