"""A real OpenID provider: django-oauth-toolkit, in a process of its own, over real HTTP."""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import requests

PATIENCE = 60
CLIENT_ID, CLIENT_SECRET = "lookwho", "a secret that both know"


class Provider:
    """The provider that runs, and who is known to it."""

    def __init__(self, address, folder):
        self.issuer = f"{address}/o"
        self.address = address
        self._file = Path(folder, "people.json")
        self.people = {}

    def knows(self, who, /, **claims):
        """Let the provider know somebody, and what it says of them; nothing more than before."""
        self.people[who] = claims
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(self.people), "utf-8")
        part.replace(self._file)

    def signs_in(self, who, address):
        """Sign in over there as a person would; return where the provider sends one back to."""
        with requests.Session() as visitor:
            page = visitor.get(address, timeout=PATIENCE)
            assert "sign in over there" in page.text, page.text
            token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
            told = {"name": who, "csrfmiddlewaretoken": token}
            answer = visitor.post(page.url, told, allow_redirects=False, timeout=PATIENCE)
            there = requests.compat.urljoin(page.url, answer.headers["Location"])
            answer = visitor.get(there, allow_redirects=False, timeout=PATIENCE)
            assert answer.status_code == 302, answer.text
            return answer.headers["Location"]


@contextmanager
def running(folder):
    """Start a provider and end it."""
    told = {name: value for name, value in os.environ.items() if "DJANGO" not in name}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.provider", str(folder)],
        cwd=Path(__file__).resolve().parents[2],
        env=told,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://"), "the provider did not start"
        yield Provider(address, folder)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
