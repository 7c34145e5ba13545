from schemas.topics import EXPERIMENTS, FEEDBACK, IMAGES, PREDICTIONS, TOPICS


def test_retention_is_in_milliseconds_and_can_be_set():
    assert IMAGES.config()["retention.ms"] == str(7 * 86_400_000)
    assert IMAGES.config(retention_days=0.5)["retention.ms"] == str(43_200_000)


def test_what_is_kept_for_ever_stays_so():
    assert EXPERIMENTS.config(retention_days=1)["retention.ms"] == "-1"
    assert EXPERIMENTS.config()["cleanup.policy"] == "compact"
    assert FEEDBACK.config()["cleanup.policy"] == "compact,delete"


def test_photographs_are_stored_in_the_form_that_every_client_reads():
    assert IMAGES.config()["compression.type"] == "uncompressed"
    assert "compression.type" not in PREDICTIONS.config()


def test_names_are_unique():
    assert len({topic.name for topic in TOPICS}) == len(TOPICS) == 8
