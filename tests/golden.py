"""Expected texts that stand as files beside what they are expected of; `make update` rewrites them, CI never does."""

from pathlib import Path

from syrupy.assertion import SnapshotAssertion
from syrupy.data import SnapshotCollection, SnapshotCollections
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from syrupy.location import PyTestLocation
from syrupy.types import SerializableData, SnapshotIndex


class BesideExtension(SingleFileSnapshotExtension):
    """A snapshot is the file that the test names. The tests that walk the files ask which of them belong to no test."""

    _write_mode = WriteMode.TEXT

    @classmethod
    def get_location(cls, *, test_location: PyTestLocation, index: SnapshotIndex) -> str:
        return str(index)

    @classmethod
    def matches_test_location(cls, *, test_location: PyTestLocation, snapshot_location: str) -> bool:
        return True

    def discover_snapshots(
        self, *, test_location: PyTestLocation, ignore_extensions: list[str] | None = None
    ) -> SnapshotCollections:
        return SnapshotCollections()

    def read_snapshot_data_from_location(
        self, *, snapshot_location: str, snapshot_name: str, session_id: str
    ) -> SerializableData | None:
        at = Path(snapshot_location)
        return at.read_bytes().decode() if at.exists() else None  # line ends as they are

    @classmethod
    def write_snapshot_collection(
        cls, *, snapshot_collection: SnapshotCollection, name_order: dict[str, int] | None = None
    ) -> None:
        text = str(next(iter(snapshot_collection)).data)
        Path(snapshot_collection.location).write_text(text, encoding="utf-8", newline="")


def compare(path: Path, text: str, snapshot: SnapshotAssertion) -> None:
    """Fails where `text` is not what the file at `path` holds."""
    assert text == snapshot(name=str(path), extension_class=BesideExtension)
