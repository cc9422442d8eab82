"""The data directory: which places are fit for one. Source: reliability.md §2, design.md §9."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowlatch import discovery
from flowlatch.errors import ConfigError

TABLE = r"""22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:30 / /home rw,relatime - nfs4 files:/home rw,vers=4.2
31 30 0:31 / /home/me/local\040disk rw - xfs /dev/sdb1 rw
32 22 0:32 / /home/me/share rw,nosuid shared:9 master:2 - fuse.sshfs me@there:/ rw
33 22 0:33 / /homes rw - ext4 /dev/sdc1 rw
nonsense
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    """A table of mounts as the kernel writes it."""
    path = tmp_path / "mountinfo"
    path.write_text(TABLE)
    return path


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/", "ext4"),
        ("/home/me/flowlatch", "nfs4"),
        ("/home/me/local disk/data", "xfs"),
        ("/home/me/share", "fuse.sshfs"),
        ("/homes/other", "ext4"),
        ("/srv/data", "ext4"),
    ],
)
def test_the_innermost_mount_tells_the_file_system(mounts: Path, place: str, kind: str) -> None:
    assert discovery.file_system(Path(place), mounts) == kind


def test_without_a_table_nothing_is_known(tmp_path: Path) -> None:
    assert discovery.file_system(tmp_path, tmp_path / "missing") == ""


def test_a_network_file_system_is_refused_and_a_disk_is_not(
    mounts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "MOUNTS", mounts)
    assert discovery.prepare_directory(tmp_path / "disk").is_dir()
    mounts.write_text(f"22 1 0:20 / / rw - ext4 /dev/sda1 rw\n30 22 0:30 / {tmp_path} rw - nfs files:/ rw\n")
    with pytest.raises(ConfigError, match=r"network file system \(nfs\): use a local disk"):
        discovery.prepare_directory(tmp_path / "share")
