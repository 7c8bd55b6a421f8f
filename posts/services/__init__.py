"""The only writers of the tables of posts: verb_noun functions that check, write and enqueue in one transaction."""
