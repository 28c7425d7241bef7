from pathlib import Path

from embedded.clickhouse_front.deduplication import forget_lost_parts


def table(data: Path, name: str, parts: list[str], *logs: str) -> Path:
    folder = data / "store" / name[:3] / name
    for part in parts:
        (folder / part).mkdir(parents=True)
    (folder / "deduplication_logs").mkdir(parents=True)
    for number, text in enumerate(logs, 1):
        (folder / "deduplication_logs" / f"deduplication_log_{number}.txt").write_text(text)
    return folder / "deduplication_logs"


def test_tokens_of_parts_that_are_not_there_are_forgotten(tmp_path: Path) -> None:
    logs = table(
        tmp_path,
        "abc1",
        ["20261126_1_7_2", "20261126_8_8_0_9", "tmp_insert_20261126_9_9_0", "20261127_9_9_0", "detached"],
        "1\t20261126_3_3_0\tmerged\n1\t20261126_8_8_0\tmutated\n",
        "1\t20261126_9_9_0\tlost\n1\t20261127_9_9_0\tother day\n1\t20261126_10_10_0\tdropped\n2\t20261126_10_10_0\tdropped\n1\t20261",
    )
    whole = table(tmp_path, "def2", ["all_1_1_0"], "1\tall_1_1_0\tkept\n")
    assert forget_lost_parts(tmp_path) == 1
    assert (logs / "deduplication_log_1.txt").read_text() == "1\t20261126_3_3_0\tmerged\n1\t20261126_8_8_0\tmutated\n"
    mended = "1\t20261127_9_9_0\tother day\n1\t20261126_10_10_0\tdropped\n2\t20261126_10_10_0\tdropped\n1\t20261"
    assert (logs / "deduplication_log_2.txt").read_text() == mended
    assert (whole / "deduplication_log_1.txt").read_text() == "1\tall_1_1_0\tkept\n"
    assert forget_lost_parts(tmp_path) == 0
    assert sorted(file.name for file in logs.iterdir()) == ["deduplication_log_1.txt", "deduplication_log_2.txt"]


def test_an_empty_directory_has_nothing_to_mend(tmp_path: Path) -> None:
    assert forget_lost_parts(tmp_path) == 0
