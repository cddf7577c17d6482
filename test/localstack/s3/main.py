"""LocalStack's S3, and nothing else of it, on a free port of the loopback interface.

Prints the port when it serves, and serves until its standard input ends: it does not outlive the run.
It is one process, and what it keeps goes with it.
"""

import os
import shutil
import socket
import sys
import tempfile
from threading import Thread
from time import sleep
from urllib.request import urlopen

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
folder = tempfile.mkdtemp(prefix="millrace-localstack-s3-")
# What it keeps goes with it.
tempfile.tempdir = folder
os.environ.update(
    SERVICES="s3",
    GATEWAY_LISTEN=f"127.0.0.1:{port}",
    # Not in a container: its files go into a folder of their own.
    OVERRIDE_IN_DOCKER="0",
    FILESYSTEM_ROOT=folder,
    # It asks nobody on the internet, and is nobody's name server.
    DNS_ADDRESS="0",
    SKIP_SSL_CERT_DOWNLOAD="1",
    DISABLE_EVENTS="1",
)


def tell_when_it_serves():
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/_localstack/health", timeout=5):
                break
        except OSError:
            sleep(0.1)
    print(f"listening on {port}", flush=True)


def end_with_the_run():
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


for task in (tell_when_it_serves, end_with_the_run):
    Thread(target=task, daemon=True).start()

from localstack.runtime.main import main

main()
