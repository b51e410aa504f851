"""Whatever is sent to the REST service: an answer in JSON, an error with words, and the pools live on."""

from pathlib import Path

from runtime import fuzzing

EXAMPLES = 500


def test_whatever_is_sent_is_answered_and_the_pools_live_on(tmp_path: Path) -> None:
    with fuzzing.target_in(tmp_path) as target:
        report = fuzzing.run(target, EXAMPLES)
    assert report.findings == []
    assert {status for _, status in report.answers} >= {200, 400, 404, 422}
    assert report.examples >= EXAMPLES * 0.7
