"""nginx's configuration and its own numbers, as text: no nginx is started."""

import pytest

from nodes.http.origin_address import Origin
from nodes.nginx_edge import config
from nodes.nginx_edge.control import generations
from nodes.nginx_edge.helper import metrics

PLAIN = {"name": "e1", "listen": "127.0.0.1:80", "origin": Origin("192.0.2.1", 80), "capacity_bytes": 1 << 30}


def text(**more):
    return config.text(config.Edge(**{**PLAIN, **more}), 3)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, ["listen 127.0.0.1:80 reuseport", "server 192.0.2.1:80;", "proxy_set_header Host 192.0.2.1;", "access_log off;",
              "objects-3 ", "max_size=1073741824", "worker_processes 1;"]),
        ({"origin": Origin("::1", 9000)}, ["server [::1]:9000;", "proxy_set_header Host [::1]:9000;"]),
        ({"workers": 2, "idle_s": 0.05, "timeout_s": 2.5}, ["worker_processes 2;", "keepalive_timeout 50ms;",
                                                            "proxy_read_timeout 2500ms;"]),
        ({"log": "/l"}, ['access_log "/l" asked buffer=64k', "escape=json", '"client":"$remote_addr:$remote_port"']),
        ({"log": "/l", "listen": "[::1]:80"}, ['"client":"[$remote_addr]:$remote_port"']),
        ({"log": "/l", "combined": True}, ['access_log "/l" combined']),
        ({"as_root": True}, ["user root;"]),
        ({"files": 1024}, ["worker_rlimit_nofile 1024;", "worker_connections 256;"]),
        ({"tls": ("/c", "/k", ("TLSv1.3",))}, ["backlog=4096 ssl http2;", 'ssl_certificate "/c";', "ssl_protocols TLSv1.3;"]),
        ({"origin": Origin("a", 443, "https", "b"), "origin_authority": "/ca", "origin_tls": ("TLSv1.2",)},
         ["proxy_pass https://origin;", "proxy_ssl_name b;", 'proxy_ssl_trusted_certificate "/ca";', "proxy_ssl_verify on;",
          "proxy_set_header Host a;"]),
    ],
)  # fmt: skip
def test_an_option_stands_in_the_configuration(more, words):
    made = text(**more)
    for word in words:
        assert word in made
    assert ("user root;" in made) == bool(more.get("as_root"))


def test_an_insecure_origin_is_not_verified():
    assert "proxy_ssl_verify" not in text(origin=Origin("a", 443, "https"), origin_insecure=True, origin_tls=("TLSv1.3",))


def test_stub_status_becomes_metrics():
    said = "Active connections: 3 \nserver accepts handled requests\n 11 10 130 \nReading: 0 Writing: 1 Waiting: 2 \n"
    found = metrics(said, "e1")
    assert 'longhaul_connections_open{node="e1"} 3\n' in found
    assert 'longhaul_connections_total{node="e1"} 11\n' in found
    assert 'longhaul_accept_errors_total{node="e1"} 1\n' in found
    assert 'longhaul_requests_total{node="e1"} 130\n' in found


def test_generations_are_the_folders_that_are_there(tmp_path):
    for name in ("objects-2", "objects-10", "objects-x", "tmp"):
        (tmp_path / name).mkdir()
    assert sorted(generations(tmp_path)) == [2, 10]
