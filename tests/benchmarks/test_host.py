"""The benchmark's site is a host with the queue alone, without the admin: it must be one that Django accepts."""

from __future__ import annotations

from tests.site import Site


def test_a_host_without_the_admin_passes_its_checks(site: Site) -> None:
    site.env["DJANGO_SETTINGS_MODULE"] = "benchmarks.host.settings"
    assert "no issues" in site.manage("check").stdout
