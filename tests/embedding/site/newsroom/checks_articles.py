"""Articles that announce themselves: what docs/embedding.md says of each change."""

import tempfile
from datetime import timedelta
from io import BytesIO

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.test import TransactionTestCase, override_settings
from django.urls import reverse
from django.utils import timezone
from newsroom.models import Article
from PIL import Image

from posts import api
from posts.models import Media, Post
from posts.services.accounts import connect_account
from posts.services.posts import cancel_post
from queue_app import api as queue
from queue_app.database import alias, atomic
from queue_app.testing import run_due_jobs


def picture(name="bridge.png"):
    Image.new("RGB", (40, 30), "navy").save(content := BytesIO(), "PNG")
    return ContentFile(content.getvalue(), name=name)


class ChangedMind(Exception):
    """The site rolls its transaction back."""


class ArticleTests(TransactionTestCase):
    databases = "__all__"

    def setUp(self):
        self.account = connect_account("outbox", {"name": "Newsroom"})
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        media = override_settings(MEDIA_ROOT=folder.name)
        media.enable()
        self.addCleanup(media.disable)

    def article(self, **fields):
        with atomic():
            article = Article.objects.create(title="The bridge is open", **fields)
            article.accounts.set([self.account])
        return article

    def tomorrow(self, **more):
        return timezone.now() + timedelta(days=1, **more)

    def test_a_rolled_back_article_was_never_announced(self):
        with self.assertRaises(ChangedMind), atomic():
            self.article(published_at=timezone.now())
            raise ChangedMind
        run_due_jobs()
        self.assertFalse(Article.objects.exists() or Post.objects.exists())

    def test_an_article_with_a_picture_goes_out_with_it(self):
        article = self.article(published_at=timezone.now(), picture=picture(), picture_shows="A bridge")
        run_due_jobs()
        post = article.social_post
        self.assertEqual(post.status, "published")
        self.assertIn(f"http://127.0.0.1:8000/articles/{article.pk}/", post.text)
        attached = post.post_media.get()
        self.assertEqual((attached.alt_text, attached.media.original_name), ("A bridge", "bridge.png"))

    def test_a_draft_is_not_announced_and_an_old_article_can_be_edited(self):
        self.article()
        self.article(published_at=timezone.now() - timedelta(days=30)).save()
        run_due_jobs()
        self.assertFalse(Post.objects.exists())

    def test_a_waiting_post_says_what_the_article_says_now(self):
        article = self.article(published_at=self.tomorrow(), picture=picture())
        run_due_jobs()
        article.title, article.published_at, article.picture = "It is closed again", self.tomorrow(hours=1), ""
        article.save()
        run_due_jobs()
        post = article.social_post
        self.assertIn("closed again", post.text)
        self.assertEqual((post.scheduled_at, post.media.count()), (article.published_at, 0))
        self.assertEqual(Post.objects.count(), 1)

    def test_saving_it_ten_times_announces_it_once(self):
        article = self.article(published_at=timezone.now())
        for _ in range(10):
            article.save()
        run_due_jobs()
        article.save()
        run_due_jobs()
        self.assertEqual([post.status for post in article.social_posts], ["published"])

    def test_taking_it_back_withdraws_the_post_and_deleting_it_cancels(self):
        article = self.article(published_at=self.tomorrow())
        run_due_jobs()
        article.published_at = None
        article.save()
        run_due_jobs()
        self.assertIsNone(article.social_post)
        article.published_at = self.tomorrow()
        article.save()
        run_due_jobs()
        post = article.social_post
        Article.objects.all().delete()
        post.refresh_from_db()
        self.assertEqual(post.status, "cancelled")

    def test_a_deletion_that_is_rolled_back_cancels_nothing(self):
        article = self.article(published_at=self.tomorrow())
        run_due_jobs()
        with self.assertRaises(ChangedMind), atomic():
            article.delete()
            raise ChangedMind
        self.assertEqual(Article.objects.get().social_post.status, "scheduled")

    def test_what_a_person_cancelled_stays_cancelled(self):
        article = self.article(published_at=self.tomorrow())
        run_due_jobs()
        cancel_post(article.social_post)
        article.published_at = self.tomorrow(hours=2)
        article.save()
        run_due_jobs()
        self.assertEqual(article.social_post.status, "cancelled")

    def test_an_article_in_the_admin_is_announced_on_the_accounts_chosen_there(self):
        model = get_user_model()
        fields = {model.USERNAME_FIELD: "chief@example.org", "password": "secret"}
        self.client.force_login(model.objects.create_superuser(**fields))
        now = timezone.localtime()
        form = {"title": "Written in the admin", "accounts": [self.account.pk]}
        form |= {"published_at_0": f"{now:%Y-%m-%d}", "published_at_1": f"{now:%H:%M:%S}"}
        answer = self.client.post(reverse("admin:newsroom_article_add"), form)
        self.assertEqual(answer.status_code, 302, answer.content.decode())
        run_due_jobs()
        article = Article.objects.get()
        self.assertEqual(article.social_post.status, "published")
        self.assertEqual(self.client.get(reverse("admin:newsroom_article_changelist")).status_code, 200)

    def test_a_text_that_a_network_refuses_is_refused_in_the_form(self):
        article = self.article(published_at=self.tomorrow())
        article.teaser = "x" * 200_000
        with self.assertRaises(ValidationError):
            article.full_clean()

    def test_what_is_refused_later_fails_the_job_in_words(self):
        article = Article.objects.create(title="Nowhere to go", published_at=timezone.now())
        run_due_jobs()
        (job,) = queue.failed_jobs()
        self.assertIn("choose at least one", job.last_error)
        self.assertIsNone(article.social_post)

    def test_one_call_in_the_sites_transaction(self):
        article = self.article()
        with self.assertRaises(ChangedMind), atomic():
            api.publish(article, purpose="reminder", text="Still worth reading", accounts=[self.account])
            raise ChangedMind
        self.assertFalse(api.posts_of(article).exists())
        upload = api.store_media(picture())
        with atomic():
            api.publish(article, purpose="reminder", text="Still", accounts=[self.account], media=[upload])
        run_due_jobs()
        self.assertEqual(api.post_of(article, "reminder").status, "published")
        self.assertEqual(Media.objects.using(alias()).count(), 1)
