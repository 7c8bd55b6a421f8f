"""A person with a browser: signed in to the site's own web server, over HTTP."""

from __future__ import annotations

import socket
from typing import Any, Self

import httpx2

from tests.faults.clusters import Clusters

PASSWORD = "for tests alone"
# Longer than any page may take.
PATIENCE_SECONDS = 90


class Person:
    """Serves the site without clusters; within ``with`` signed in as a superuser."""

    def __init__(self, clusters: Clusters) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        site = clusters.site
        site.do(
            f"from django.contrib.auth.models import User\nUser.objects.create_superuser('boss', password={PASSWORD!r})"
        )
        site.spawn("serve", "--port", str(port), "--web-workers", "1", "--clusters", "0")
        self._client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS, trust_env=False)
        self._site = site

    def __enter__(self) -> Self:
        self._site.wait_until(self._sees_the_site, 60)
        signed_in = self.post("/admin/login/", {"username": "boss", "password": PASSWORD})
        assert signed_in.status_code == 302, signed_in.text
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str) -> httpx2.Response:
        """Look at a page."""
        return self._client.get(path)

    def post(self, path: str, fields: dict[str, Any], **more: Any) -> httpx2.Response:
        """Send a form."""
        return self._client.post(
            path, data={**fields, "csrfmiddlewaretoken": self._client.cookies["csrftoken"]}, **more
        )

    def cancel(self, job: int) -> httpx2.Response:
        """Cancel a job in the admin, as from the question that comes before."""
        fields = {"action": "cancel", "index": "0", "_selected_action": str(job), "confirmed": "9", "warned": ""}
        return self.post("/admin/queue_app/job/", fields)

    def upload(self, name: str, content: bytes) -> httpx2.Response:
        """Upload a picture as the composer does."""
        return self.post("/media/upload/", {}, files={"file": (name, content)}, headers={"Accept": "application/json"})

    def _sees_the_site(self) -> bool:
        try:
            return self._client.get("/admin/login/").status_code == 200
        except httpx2.TransportError:
            return False
