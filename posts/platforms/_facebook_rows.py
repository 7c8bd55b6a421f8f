"""What Facebook's own errors mean, and the words of its codes. Pure tables.

https://developers.facebook.com/docs/graph-api/guides/error-handling; codes that only other clients have met are marked.
"""

from __future__ import annotations

from functools import partial

from posts.platforms._graph_rows import Rows, Throttle, shared_words
from posts.publishing.errors import ContentRejected, ReconnectNeeded, Temporary
from posts.publishing.words import CHANGE_AND_RETRY, DECIDE, RECONNECT, RETRIES, Words

TOO_FAST_SECONDS = 3600

ROWS: Rows = {
    # A Page's token is not renewed.
    (190, 463): partial(ReconnectNeeded, "facebook.login_over"),
    (190, None): partial(ReconnectNeeded, "facebook.login_over"),
    (102, None): partial(ReconnectNeeded, "facebook.login_over"),
    # The Page itself may not publish yet; all else works.
    (None, 1404078): partial(ReconnectNeeded, "facebook.page_not_authorized"),
    (None, 4854002): partial(ReconnectNeeded, "facebook.identity_unconfirmed"),
    # Faults that pass, as met by other clients
    (None, 1363047): "server_error",
    (None, 1609010): "server_error",
    (1390008, None): Throttle("account", "facebook.too_fast", TOO_FAST_SECONDS),
    (None, 1390008): Throttle("account", "facebook.too_fast", TOO_FAST_SECONDS),
    # What a call speaks of cannot be loaded, so it was not carried out. Passes where that was made a moment ago.
    (100, 33): partial(Temporary, "facebook.unreadable"),
    # The content
    (1346003, None): partial(ContentRejected, "facebook.standards"),
    (None, 1346003): partial(ContentRejected, "facebook.standards"),
    (1404102, None): partial(ContentRejected, "facebook.standards"),
    (None, 1404102): partial(ContentRejected, "facebook.standards"),
    (324, None): partial(ContentRejected, "facebook.photo_refused", field="media"),
    (None, 1366046): partial(ContentRejected, "facebook.photo_refused", field="media"),
    (None, 1349125): partial(ContentRejected, "facebook.file_refused", field="media"),
    (None, 2069019): partial(ContentRejected, "facebook.file_refused", field="media"),
    (6000, None): partial(ContentRejected, "facebook.video_refused", field="media"),
    (None, 2061006): partial(ContentRejected, "facebook.link_refused", field="link"),
    (None, 1609005): partial(ContentRejected, "facebook.link_refused", field="link"),
    (None, 1609008): partial(ContentRejected, "facebook.link_to_facebook", field="link"),
    # The photos were staged for this post alone, so it may be live: no refusal.
    (None, 1366051): "facebook.photos_used",
}

WORDS = shared_words("facebook") | {
    "facebook.login_over": Words("Facebook no longer accepts this login.", RECONNECT),
    "facebook.page_not_authorized": Words(
        "Facebook wants the Page to be authorised before anything can be published on it.",
        "Open the Page on Facebook, complete its publishing authorisation, then connect the account again.",
    ),
    "facebook.identity_unconfirmed": Words(
        "Facebook wants the person who connected this Page to confirm their identity.",
        "Do what Facebook asks in its app or on its page, then connect the account again.",
    ),
    "facebook.too_fast": Words(
        "Facebook says that this Page posts too fast.", "Nothing to do: posts go out when the wait is over."
    ),
    "facebook.standards": Words(
        "Facebook refused the post, because it takes it for abuse or against its standards.", CHANGE_AND_RETRY
    ),
    "facebook.photo_refused": Words("Facebook refused a photo.", "Replace the photo, then retry."),
    "facebook.file_refused": Words("Facebook refused a file of the post.", "Replace the file, then retry."),
    "facebook.video_refused": Words(
        "Facebook could not process the video; it is not live.", "Export the video anew or replace it, then retry."
    ),
    "facebook.link_refused": Words(
        "Facebook could not read the page behind the link.", "Check the link's address or leave it out, then retry."
    ),
    "facebook.link_to_facebook": Words(
        "Facebook makes no preview of its own pages.", "Put the address into the text instead, then retry."
    ),
    "facebook.photos_used": Words(
        "Facebook says that the photos of this post are posted already.",
        "Nothing to do yet: SocialQ looks for the post before anything is sent again.",
    ),
    "facebook.photos_gone": Words(
        "Facebook had deleted the uploaded photos, because they waited too long; nothing was published.",
        "SocialQ uploads them again by itself.",
    ),
    "facebook.upload_cut": Words("The upload to Facebook broke off.", "SocialQ goes on with it by itself."),
    "facebook.upload_failed": Words(
        "Facebook gave the upload of the video up; nothing was published.", "SocialQ starts the upload anew by itself."
    ),
    "facebook.video_undecided": Words("Facebook has the video, but does not say yet whether it will appear.", RETRIES),
    "facebook.no_match": Words("No post of this Page is surely the one that was sent.", DECIDE),
    "facebook.page_changed": Words("The login answers for another Page, {page}.", RECONNECT),
    # What a draft lacks
    "facebook.link_invalid": Words(
        "The link is not a web address.", "Enter an address that starts with https:// or leave it empty."
    ),
    "facebook.link_with_media": Words(
        "A post on Facebook has a link preview or files, not both.", "Remove the link or the files."
    ),
    "facebook.reel_needs_video": Words("A reel needs a video.", "Add a video, or choose an ordinary post."),
    "facebook.reel_length": Words(
        "A reel is 3 to 90 seconds long, this video {seconds} seconds.", "Cut the video, or choose an ordinary post."
    ),
    "facebook.reel_small": Words(
        "A reel has at least 540 × 960 pixels, this video has {size}.", "Replace it, or choose an ordinary post."
    ),
    "facebook.reel_shape": Words(
        "Reels are 9:16; this video has another shape, so Facebook may crop it or show bars.",
        "Nothing to do, if that is as you want it.",
    ),
}
