"""Debian's nginx as the rival: in the foreground, one process, everything in a temporary folder."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Child, free_port, wait_for_port

_RTMP_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")

_CONFIG = """\
{load}
daemon off;
master_process off;
worker_processes 1;
error_log stderr warn;
pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
{rtmp}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    types {{
        application/vnd.apple.mpegurl m3u8;
        video/mp4 m4s;
        video/mp2t ts;
        text/html html;
        text/javascript js;
    }}
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    server {{
        listen 127.0.0.1:{http_port} backlog=4096;
        location / {{
            root {root};
            gzip_static on;
            add_header Access-Control-Allow-Origin *;
            add_header Cache-Control no-cache;
        }}
    }}
}}
"""

_RTMP = """\
rtmp {{
    server {{
        listen 127.0.0.1:{port};
        chunk_size 4096;
        application live {{
            live on;
            hls on;
            hls_path {path};
            hls_fragment {fragment_s}s;
            hls_playlist_length {playlist_s}s;
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running nginx. Files below `root` are served; HLS is written to `root`/hls."""

    child: Child
    http_port: int
    rtmp_port: int


def start(
    folder: Path, root: Path, *, fragment_s: int | None = None, cpu: int | None = None
) -> Nginx:
    """Start it; with RTMP when `fragment_s` is given. Raises `RuntimeError`."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists() or (fragment_s is not None and not _RTMP_MODULE.exists()):
        raise RuntimeError("install nginx and libnginx-mod-rtmp for the rival's side")
    folder.mkdir(exist_ok=True)
    http_port, rtmp_port = free_port(), free_port()
    rtmp = ""
    if fragment_s is not None:
        (root / "hls").mkdir(exist_ok=True)
        rtmp = _RTMP.format(
            port=rtmp_port, path=root / "hls", fragment_s=fragment_s, playlist_s=6 * fragment_s
        )
    config = folder / "nginx.conf"
    config.write_text(
        _CONFIG.format(
            load=f"load_module {_RTMP_MODULE};" if rtmp else "",
            folder=folder,
            rtmp=rtmp,
            http_port=http_port,
            root=root,
        )
    )
    command = [program, "-p", str(folder), "-c", str(config)]
    child = Child(command, cpu=cpu, log=folder / "error.log", cwd=folder)
    try:
        wait_for_port(http_port, child)
    except RuntimeError:
        child.end()
        raise
    return Nginx(child, http_port, rtmp_port)
