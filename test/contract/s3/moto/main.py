"""An S3-compatible server on a free port of the loopback interface.

Prints the port, then serves until its standard input ends: it does not outlive the test.

moto looks whether there is an object and stores another in two steps, which a second thread may
come between. S3 does it in one, so conditional writes are let through one at a time.
"""

import sys
from threading import Lock, Thread

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

moto = DomainDispatcherApplication(create_backend_app)
conditional_write = Lock()


def application(environ, start_response):
    if "HTTP_IF_NONE_MATCH" not in environ:
        return moto(environ, start_response)
    with conditional_write:
        return moto(environ, start_response)


server = make_server(
    "127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler
)
Thread(target=server.serve_forever, daemon=True).start()
print(f"listening on {server.server_address[1]}", flush=True)
sys.stdin.read()
