"""A server of files on this machine that fails in every way, when asked to."""

import contextlib
import http.server
import threading
from collections.abc import Iterator


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves ``files``; those in ``cut`` end half-way.

    Those in ``moved`` are somewhere else, and those in ``paused`` stop
    half-way until ``go_on`` is set, which all wait for.
    """

    def do_GET(self) -> None:
        server, name = self.server, self.path.rpartition('/')[2]
        server.asked.append(self.path)
        server.ranges.append(self.headers.get('Range'))
        if name in server.moved and '/moved/' not in self.path:
            self.send_response(302)
            self.send_header('Location', f'{server.address}/moved/{name}')
            self.end_headers()
            return
        content = server.files.get(name)
        if content is None:
            self.send_error(404)
            return
        half = len(content) // 2
        with contextlib.suppress(ConnectionError):  # who gave up is gone
            self.send_response(200)
            self.send_header('Content-Length', str(len(content)))
            self.end_headers()
            if name in server.paused:
                self.wfile.write(content[:half])
                self.wfile.flush()
                server.has_paused.set()
                server.go_on.wait()
                self.wfile.write(content[half:])
                return
            server.go_on.wait()
            self.wfile.write(content[:half] if name in server.cut else content)

    def log_message(self, *args) -> None:
        pass


@contextlib.contextmanager
def serving() -> Iterator[http.server.ThreadingHTTPServer]:
    """A server with ``files``; what was ``asked``, and which ``ranges``."""
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        server.files, server.asked, server.ranges = {}, [], []
        server.cut, server.moved, server.paused = set(), set(), set()
        server.has_paused, server.go_on = threading.Event(), threading.Event()
        server.go_on.set()
        server.address = f'http://127.0.0.1:{server.server_address[1]}'
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.go_on.set()
            server.shutdown()
            thread.join()
