"""Archives of sdists: what is read, what is refused, what is unpacked. Nothing is ever written beside the target."""

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile

import pytest

from simulator.errors import BadInputError
from simulator.sdists import members
from simulator.sdists.archive import read_archive, unpack
from simulator.sdists.tar_stream import unpacked_mode
from tests.support.sdists import MTIME, PKG_INFO, ROOT, add_file, add_special, make_sdist, make_zip


def refusal(path):
    with pytest.raises(BadInputError) as caught:
        read_archive(str(path))
    message = str(caught.value)
    assert caught.value.exit_code == 2
    assert "\n" not in message
    assert str(path) in message
    return message


def make_tar(directory, fill, mode="w:gz", name="x.tar.gz"):
    path = str(directory / name)
    with tarfile.open(path, mode, format=tarfile.GNU_FORMAT) as archive:
        fill(archive)
    return path


def with_member(directory, name, text="x"):
    return make_tar(directory, lambda archive: (add_file(archive, f"{ROOT}/a", "a"), add_file(archive, name, text)))


def with_special(directory, name, kind, target=""):
    return make_tar(
        directory, lambda archive: (add_file(archive, f"{ROOT}/a", "a"), add_special(archive, name, kind, target))
    )


# What is read.


@pytest.mark.parametrize("make", [make_sdist, make_zip])
def test_files_sizes_and_what_they_tell_are_read(tmp_path, make):
    path = make(tmp_path, {"setup.py": "import setuptools", "pkg/a.py": "12345", "bin/run": "#!/bin/sh\necho\n"})
    archive = read_archive(path)
    assert archive.directory == ROOT
    assert archive.files == {
        "PKG-INFO": (len(PKG_INFO), 0o644),
        "setup.py": (17, 0o644),
        "pkg/a.py": (5, 0o644),
        "bin/run": (15, 0o644),
    }
    assert archive.texts == {"PKG-INFO": PKG_INFO.encode(), "setup.py": b"import setuptools"}
    assert archive.first_lines == {"bin/run": b"#!/bin/sh"}
    assert archive.archive.size == os.path.getsize(path)


@pytest.mark.parametrize(("mode", "name"), [("w", "x.tar"), ("w:bz2", "x.tar.bz2"), ("w:xz", "x.tar.xz")])
def test_other_compressions_are_read_whatever_the_name(tmp_path, mode, name):
    path = make_tar(tmp_path, lambda archive: add_file(archive, "x-1/a", "a"), mode, name)
    assert list(read_archive(path).files) == ["a"]


def test_of_a_file_that_comes_twice_the_last_counts(tmp_path):
    path = make_tar(
        tmp_path,
        lambda archive: (
            add_file(archive, f"{ROOT}/setup.py", "first"),
            add_file(archive, f"{ROOT}/a", "a"),
            add_file(archive, f"./{ROOT}//setup.py", "second one"),
        ),
    )
    archive = read_archive(path)
    assert list(archive.files) == ["a", "setup.py"]
    assert archive.texts["setup.py"] == b"second one"
    (tmp_path / "out").mkdir()
    unpack(path, str(tmp_path / "out"))
    assert (tmp_path / "out" / ROOT / "setup.py").read_text() == "second one"


def test_links_inside_count_as_the_files_they_lead_to(tmp_path):
    def fill(archive):
        add_file(archive, f"{ROOT}/real/setup.cfg", "12345")
        add_special(archive, f"{ROOT}/setup.cfg", tarfile.SYMTYPE, "real/setup.cfg")
        add_special(archive, f"{ROOT}/again", tarfile.SYMTYPE, "setup.cfg")
        add_special(archive, f"{ROOT}/hard", tarfile.LNKTYPE, f"{ROOT}/real/setup.cfg")
        add_special(archive, f"{ROOT}/dangling", tarfile.SYMTYPE, "nowhere")
        add_special(archive, f"{ROOT}/round", tarfile.SYMTYPE, "round")
        add_special(archive, f"{ROOT}/folder", tarfile.SYMTYPE, "real")

    files = read_archive(make_tar(tmp_path, fill)).files
    assert files == dict.fromkeys(("real/setup.cfg", "setup.cfg", "again", "hard"), (5, 0o644))


def test_modes_are_those_of_unpacked_files(tmp_path):
    modes = {"a": 0o777, "b": 0o666, "c": 0o4755, "d": 0o055, "e": 0o400}
    path = make_sdist(tmp_path, dict.fromkeys(modes, "x"), modes=modes)
    (tmp_path / "out").mkdir()
    root = unpack(path, str(tmp_path / "out"))
    read = {name: read_archive(path).files[name][1] for name in modes}
    assert read == {name: unpacked_mode(mode) for name, mode in modes.items()}
    if hasattr(tarfile, "data_filter"):
        assert read == {name: stat.S_IMODE(os.stat(f"{root}/{name}").st_mode) for name in modes}
    assert os.stat(f"{root}/a").st_mtime == MTIME


def test_a_zip_keeps_executable_bits(tmp_path):
    path = str(tmp_path / "x.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for name, mode in (("run", 0o755), ("read", 0o640)):
            item = zipfile.ZipInfo(f"{ROOT}/{name}")
            item.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(item, "x")
    (tmp_path / "out").mkdir()
    root = unpack(path, str(tmp_path / "out"))
    for name, mode in (("run", 0o755), ("read", 0o644)):
        assert stat.S_IMODE(os.stat(f"{root}/{name}").st_mode) == read_archive(path).files[name][1] == mode


# What is refused.


def test_what_is_no_file_is_refused(tmp_path):
    assert refusal(tmp_path).endswith("is a directory; give the .tar.gz or .zip of an sdist")
    assert "cannot be read: No such file or directory" in refusal(tmp_path / "missing.tar.gz")
    os.mkfifo(tmp_path / "pipe")
    assert "is no regular file" in refusal(tmp_path / "pipe")


def test_an_unreadable_file_is_refused(tmp_path):
    path = make_sdist(tmp_path, {})
    os.chmod(path, 0)
    assert "cannot be read: Permission denied" in refusal(path)


@pytest.mark.parametrize(
    "data", [b"", b"no archive" * 1000, b"\x1f\x8b\x08 but no more", b"PK\x03\x04 but no more", b"BZh9x"]
)
def test_what_is_no_archive_is_refused(tmp_path, data):
    path = tmp_path / "x.tar.gz"
    path.write_bytes(data)
    assert "is no sdist" in refusal(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("make", [make_sdist, make_zip])
def test_a_truncated_archive_is_refused(tmp_path, make, share):
    whole = make(tmp_path, {"a": os.urandom(20_000).hex(), "b": "b"})
    with open(whole, "rb") as file:
        data = file.read()
    path = tmp_path / "short.tar.gz"
    path.write_bytes(data[: int(len(data) * share)])
    assert "truncated" in refusal(path)


def test_a_truncated_plain_tar_is_refused(tmp_path):
    whole = make_sdist(tmp_path, {"a": "a" * 5000}, name="x.tar")
    with open(whole, "rb") as file:
        data = file.read()
    path = tmp_path / "short.tar"
    path.write_bytes(data[:3000])
    assert "truncated" in refusal(path)


def test_a_flipped_bit_is_noticed(tmp_path):
    path = make_sdist(tmp_path, {"a": os.urandom(20_000).hex()})
    with open(path, "r+b") as file:
        file.seek(-8, os.SEEK_END)
        check = file.read(1)[0]
        file.seek(-8, os.SEEK_END)
        file.write(bytes([check ^ 1]))
    assert "is no sdist" in refusal(path)


@pytest.mark.parametrize("name", ["/etc/passwd", f"/{ROOT}/b", "../b", f"{ROOT}/../b", f"{ROOT}/x/../../b", ".."])
def test_paths_that_lead_outside_are_refused(tmp_path, name):
    path = with_member(tmp_path, name)
    assert f"holds '{name}', which leads outside" in refusal(path)
    (tmp_path / "out").mkdir()
    with pytest.raises(BadInputError):
        unpack(path, str(tmp_path / "out"))
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.SYMTYPE, "../../x"),
        (tarfile.SYMTYPE, ".."),
        (tarfile.SYMTYPE, f"../../{ROOT}x/a"),
        (tarfile.LNKTYPE, "/etc/passwd"),
        (tarfile.LNKTYPE, "../x"),
        (tarfile.LNKTYPE, "other-1.0/x"),
    ],
)
def test_links_that_lead_outside_are_refused(tmp_path, kind, target):
    path = with_special(tmp_path, f"{ROOT}/link", kind, target)
    assert f"holds '{ROOT}/link', a link that leads outside, to '{target}'" in refusal(path)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (tarfile.CHRTYPE, "a character device"),
        (tarfile.BLKTYPE, "a block device"),
        (tarfile.FIFOTYPE, "a named pipe"),
    ],
)
def test_devices_are_refused(tmp_path, kind, said):
    assert f"holds '{ROOT}/x', which is {said};" in refusal(with_special(tmp_path, f"{ROOT}/x", kind))


def test_a_file_inside_another_is_refused(tmp_path):
    assert "holds 'a' as a file, and 'a/b' below it" in refusal(with_member(tmp_path, f"{ROOT}/a/b"))
    through = make_tar(
        tmp_path,
        lambda archive: (
            add_file(archive, f"{ROOT}/d/x", "x"),
            add_special(archive, f"{ROOT}/link", tarfile.SYMTYPE, "d"),
            add_file(archive, f"{ROOT}/link/y", "y"),
        ),
        name="y.tar.gz",
    )
    assert "holds 'link' as a file, and 'link/y' below it" in refusal(through)


def test_a_path_that_is_a_file_and_a_directory_is_refused(tmp_path):
    path = with_special(tmp_path, f"{ROOT}/a", tarfile.DIRTYPE)
    assert "as a file and as a directory" in refusal(path)


def test_more_than_one_folder_is_refused(tmp_path):
    assert f"holds more than one top folder: '{ROOT}' and 'other'" in refusal(with_member(tmp_path, "other/b"))
    beside = make_tar(tmp_path, lambda archive: add_file(archive, "alone", "x"), name="y.tar.gz")
    assert "holds the file 'alone' beside its folder" in refusal(beside)


def test_an_archive_without_files_is_refused(tmp_path):
    assert "holds no file" in refusal(make_tar(tmp_path, lambda archive: None))
    assert "holds no file" in refusal(make_tar(tmp_path, lambda archive: add_special(archive, ROOT, tarfile.DIRTYPE)))


def test_names_that_are_not_utf8_are_refused(tmp_path):
    path = with_member(tmp_path, f"{ROOT}/\udcff.py")
    assert r"holds a name that is not UTF-8: b'some-name-1.0/\xff.py'" in refusal(path)


def test_an_encrypted_or_linking_zip_is_refused(tmp_path):
    path = str(tmp_path / "x.zip")
    with zipfile.ZipFile(path, "w") as archive:
        item = zipfile.ZipInfo(f"{ROOT}/link")
        item.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(item, "/etc/passwd")
    assert f"holds '{ROOT}/link', which is no regular file" in refusal(path)
    with open(make_zip(tmp_path, {}), "rb") as file:
        data = bytearray(file.read())
    flags = data.index(b"PK\x01\x02") + 8
    data[flags : flags + 2] = struct.pack("<H", 1)
    (tmp_path / "locked.zip").write_bytes(data)
    assert "which is encrypted" in refusal(tmp_path / "locked.zip")


# What is too much.


def test_more_bytes_than_fit_are_refused_before_they_are_read(tmp_path):
    # A header that promises more than follows: nobody may wait for it.
    member = tarfile.TarInfo(f"{ROOT}/big")
    member.size = members.BYTES_MAX + 1
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024))
    assert "holds more than 1,073,741,824 bytes" in refusal(path)


def test_many_files_that_are_too_much_together_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(members, "BYTES_MAX", 1000)
    path = make_sdist(tmp_path, {str(number): "x" * 100 for number in range(11)})
    assert "holds more than 1,000 bytes" in refusal(path)


def test_what_is_hidden_behind_the_last_member_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("simulator.sdists.tar_stream._STREAM_BYTES_MAX", 100_000)
    small = make_sdist(tmp_path, {"a": "a"}, name="x.tar")
    with open(small, "rb") as file:
        data = file.read()
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(data + b"\0" * 200_000))
    assert "holds more than" in refusal(path)


def test_a_long_header_is_refused(tmp_path):
    text = "11 path=" + "x" * (2 << 20) + "\n"
    member = tarfile.TarInfo("pax")
    member.type, member.size = tarfile.XHDTYPE, len(text)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(member, io.BytesIO(text.encode()))
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(buffer.getvalue()))
    assert "holds a header of more than 1,048,576 bytes" in refusal(path)


@pytest.mark.parametrize("make", [make_sdist, make_zip])
def test_too_many_members_are_refused(tmp_path, make, monkeypatch):
    monkeypatch.setattr(members, "MEMBERS_MAX", 10)
    assert "holds more than 10 members" in refusal(make(tmp_path, {str(number): "" for number in range(10)}))
    assert len(read_archive(make(tmp_path, {str(number): "" for number in range(9)})).files) == 10


def test_a_huge_text_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(members, "_TEXT_BYTES_MAX", 1000)
    assert "holds a 'setup.py' of 1,001 bytes; at most 1,000" in refusal(make_sdist(tmp_path, {"setup.py": "#" * 1001}))


def test_unpacking_needs_a_whole_archive_first(tmp_path):
    path = make_tar(tmp_path, lambda archive: (add_file(archive, f"{ROOT}/a", "a"), add_file(archive, "../b", "b")))
    (tmp_path / "out").mkdir()
    with pytest.raises(BadInputError, match="leads outside"):
        unpack(path, str(tmp_path / "out"))
    assert os.listdir(tmp_path / "out") == []
    assert not (tmp_path / "b").exists()


# Times.


def test_times_that_are_no_whole_seconds_are_told(tmp_path):
    def with_time(seconds):
        def fill(archive):
            member = tarfile.TarInfo(f"{ROOT}/a")
            member.mtime = seconds
            archive.addfile(member)

        path = str(tmp_path / "times.tar.gz")
        with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
            fill(archive)
        return read_archive(path)

    assert not with_time(MTIME).fractional_times
    assert with_time(MTIME + 0.25).fractional_times
    # Whatever unpacks a zip leaves the time of the moment.
    assert read_archive(make_zip(tmp_path, {})).fractional_times
