"""What networks tell this site by themselves: signed requests from outside, heard once. Parses, calls, answers.

YouTube has no place here: its notifications are those of public feeds. They say what a channel has uploaded and
nothing of a video's processing, of a private one, or of a login that ended; the subscription must be renewed every few
days, and its signature is optional. Whether an upload was taken is known from the upload itself.
"""
