"""Tells people by mail: the site's ADMINS, and each person at the address of their user. Writes nothing down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import mail_admins, send_mail
from django.utils.translation import gettext_lazy as _

from queue_app.channels import Message, NotSent

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MAIL = "mail"
SUBJECT_CHARACTERS = 180


class Mail:
    """Django's mail, by the site's own settings."""

    name, label = MAIL, _("Mail")
    address_label = address_help = ""

    def known_address(self, user: User) -> str:
        """Return the address of the person's user."""
        return str(getattr(user, user.get_email_field_name(), ""))

    def save_address(self, user: User, address: str) -> None:
        """Refuse: the address is the user's."""
        raise ValueError("the address is that of the user")

    def send(self, user: User | None, message: Message) -> None:
        """Send one mail. Its subject is one line, whatever a platform or a person wrote."""
        subject = " ".join(message.subject.split())[:SUBJECT_CHARACTERS]
        try:
            if user is None:
                mail_admins(subject, message.body)
            else:
                send_mail(f"{settings.EMAIL_SUBJECT_PREFIX}{subject}", message.body, None, [self.known_address(user)])
        except (OSError, ValueError) as error:  # SMTP's errors are OSErrors; ValueError: an address that is none
            raise NotSent(f"mail failed: {type(error).__name__}") from error
