"""The conformance kit: what every platform must do, as tests that a platform's own test class inherits.

A third party's platform passes the same checks as those of this repository; docs/adding_a_platform.md begins with
nothing and ends with a platform that does. Only this package imports pytest and Pillow, and nothing outside of it may
import it. Imports of it are by module (``posts.publishing.testing.contract``), so that pytest, which loads ``plugin``
in every project that has SocialQ installed, loads nothing more.
"""
