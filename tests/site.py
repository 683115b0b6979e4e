"""The site as a user starts it: the command `lookwho`, and somebody who visits what it serves."""

import http.cookiejar
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager

PATIENCE = 120.0


def environment(home):
    """Return what a user's own shell would say, with a home of its own."""
    told = {name: value for name, value in os.environ.items() if "DATABASE" not in name}
    return {**told, "LOOKWHO_HOME": str(home), "DJANGO_SETTINGS_MODULE": "lookwho.config.settings"}


def command(home, *arguments, **more):
    """Run a command to its end, with a home of its own."""
    return subprocess.run(
        [sys.executable, "-m", "lookwho", *map(str, arguments)],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        **more,
    )


class Site:
    """A site that runs, and somebody who visits it."""

    def __init__(self, process, said):
        self.process = process
        self.said = said
        self.link = re.search(r"https?://\S+/enter/\S+", said)[0]
        self.address = self.link.split("/enter/")[0]
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def get(self, path):
        """Return status, address in the end, and text."""
        return self._ask(path)

    def post(self, path, token=""):
        """Send an empty form."""
        token = token or next(each.value for each in self.cookies if each.name == "csrftoken")
        return self._ask(path, data=b"", headers={"X-CSRFToken": token, "Referer": self.link})

    def _ask(self, path, **more):
        request = urllib.request.Request(self.address + path, **more)
        try:
            with self.opener.open(request, timeout=PATIENCE) as answer:
                return answer.status, answer.url, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.url, error.read().decode()

    def enter(self, link=None):
        """Follow a link that signs in."""
        path = (link or self.link).removeprefix(self.address)
        self.get(path)
        return self.post(path)


@contextmanager
def serving(home, *arguments):
    """Start a site and end it as Ctrl-C does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lookwho", "serve", "--port", "0", *map(str, arguments)],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = ""
    try:
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        assert "/enter/" in said, said
        yield Site(process, said)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
