"""What a site gets of the queue alone."""

import sys

from django.contrib.auth import get_user_model
from django.test import TransactionTestCase

from queue_app import api
from queue_app.testing import run_due_jobs


class QueueAloneTests(TransactionTestCase):
    def test_a_job_of_the_site_runs_and_is_in_the_admin(self):
        job = api.enqueue("reports.count", {"words": "one two three"})
        self.assertEqual(run_due_jobs(), 1)
        self.assertEqual(api.get_status(job.pk), "completed")
        self.assertEqual(api.get(job.pk).result, 3)
        self.client.force_login(get_user_model().objects.create_superuser("admin", password="secret"))
        for page in ("", "queue_app/job/", f"queue_app/job/{job.pk}/change/", "queue_app/job/dashboard/"):
            self.assertEqual(self.client.get(f"/control/{page}").status_code, 200, page)

    def test_nothing_of_posts_is_loaded(self):
        self.assertEqual([name for name in sys.modules if name.partition(".")[0] == "posts"], [])
