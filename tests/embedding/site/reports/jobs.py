from queue_app import job_type


@job_type("reports.count")
def count(context, words: str):
    return len(words.split())
