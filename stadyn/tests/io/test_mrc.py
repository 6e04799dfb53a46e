# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes come back voxel for voxel in z, y, x, and every broken file is refused in one sentence."""

import gzip
import struct

import mrcfile
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stadyn.core.errors import InputError
from stadyn.io import mrc

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def volume():
    return np.random.default_rng(1).normal(size=(3, 4, 5)).astype(np.float32)


def patched(path, offset, data):
    """`path` with `data` written over its bytes from `offset`."""
    content = bytearray(path.read_bytes())
    content[offset : offset + len(data)] = data
    path.write_bytes(content)
    return path


def test_round_trip_keeps_voxels_axes_and_pixel_size(tmp_path, volume):
    path = tmp_path / "a.mrc"
    mrc.write_volume(path, volume, 5.4, label="dark protein")
    np.testing.assert_array_equal(mrc.read_volume(path), volume)
    header = mrc.read_header(path)
    assert (header.shape, header.pixel_size, header.mode, header.volumes) == ((3, 4, 5), 5.4, 2, 1)
    with mrcfile.open(path) as other:  # an independent reader, in its strict mode
        assert other.is_volume() and other.header.ispg == 1 and int(other.header.mz) == 3
        assert (float(other.header.origin.x), int(other.header.nxstart)) == (0.0, 0)
        assert other.header.label[0] == b"dark protein"
        np.testing.assert_allclose(other.voxel_size.z, 5.4, rtol=1e-6)


def test_write_is_deterministic_leaves_no_other_file_and_replaces(tmp_path, volume):
    mrc.write_volume(tmp_path / "a.mrc", volume + 1, 1.0)
    mrc.write_volume(tmp_path / "a.mrc", volume, 1.0)
    mrc.write_volume(tmp_path / "b.mrc", volume, 1.0)
    assert (tmp_path / "a.mrc").read_bytes() == (tmp_path / "b.mrc").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mrc", "b.mrc"]


def test_failed_write_keeps_the_old_file(tmp_path, volume, monkeypatch):
    path = tmp_path / "a.mrc"
    mrc.write_volume(path, volume, 1.0)

    def full_disk(*_):
        raise OSError("no space left")

    monkeypatch.setattr(mrcfile.mrcfile.MrcFile, "set_data", full_disk)
    with pytest.raises(OSError, match="no space"):
        mrc.write_volume(path, volume + 1, 1.0)
    np.testing.assert_array_equal(mrc.read_volume(path), volume)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mrc"]


@pytest.mark.parametrize("dtype, mode", [("i1", 0), ("i2", 1), ("f4", 2), ("u2", 6), ("f2", 12)])
def test_number_types_are_mapped_as_they_are(tmp_path, dtype, mode):
    data = np.arange(24, dtype=dtype).reshape(2, 3, 4)
    data[0, 0, 0] = 65000 if dtype == "u2" else -7
    with mrcfile.new(tmp_path / "a.rec", data) as out:
        out.voxel_size = 2.0
    opened = mrc.open_volume(tmp_path / "a.rec")
    assert opened.dtype == np.dtype(dtype) and mrc.read_header(tmp_path / "a.rec").mode == mode
    np.testing.assert_array_equal(opened, data)
    with pytest.raises(ValueError, match="read-only"):
        opened[0, 0, 0] = 1


def test_big_endian_file(tmp_path, volume):
    mrc.write_volume(tmp_path / "a.mrc", volume, 3.0)
    content = bytearray((tmp_path / "a.mrc").read_bytes())
    for word in [*range(10), *range(10, 25), *range(49, 52)]:
        content[4 * word : 4 * word + 4] = content[4 * word : 4 * word + 4][::-1]
    content[212:216] = bytes([0x11, 0x11, 0, 0])
    content[1024:] = volume.astype(">f4").tobytes()
    (tmp_path / "a.mrc").write_bytes(content)
    np.testing.assert_array_equal(mrc.read_volume(tmp_path / "a.mrc"), volume)
    assert mrc.read_header(tmp_path / "a.mrc").pixel_size == 3.0


def test_imod_unsigned_bytes(tmp_path):
    path = tmp_path / "a.mrc"
    with mrcfile.new(path, np.full((2, 2, 2), -56, np.int8)):
        pass
    assert mrc.open_volume(path)[0, 0, 0] == -56
    patched(path, 152, struct.pack("<ii", 1146047817, 0))
    assert mrc.open_volume(path)[0, 0, 0] == 200


def test_axis_order_of_the_header_is_undone(tmp_path, volume):
    path = tmp_path / "a.map"
    stored = np.ascontiguousarray(volume.transpose(2, 0, 1))  # sections x, rows z, columns y
    with mrcfile.new(path, stored) as out:
        out.header.mapc, out.header.mapr, out.header.maps = 2, 3, 1
    np.testing.assert_array_equal(mrc.open_volume(path), volume)
    assert mrc.read_header(path).shape == volume.shape
    with pytest.raises(InputError, match="MAPC"):
        mrc.open_volume(patched(path, 64, struct.pack("<iii", 2, 2, 1)))


def test_extended_header_is_skipped(tmp_path, volume):
    with mrcfile.new(tmp_path / "a.mrc", volume) as out:
        out.set_extended_header(np.arange(160, dtype=np.uint8).view("V1"))
    np.testing.assert_array_equal(mrc.open_volume(tmp_path / "a.mrc"), volume)


def test_stack_of_volumes_asks_which(tmp_path, volume):
    path = tmp_path / "a.mrcs"
    with mrcfile.new(path, np.stack([volume, volume + 1])):
        pass
    np.testing.assert_array_equal(mrc.open_volume(path, 1), volume + 1)
    with pytest.raises(InputError, match="stack of 2"):
        mrc.open_volume(path)
    with pytest.raises(InputError, match="no volume 3"):
        mrc.open_volume(path, 2)


def test_a_volume_larger_than_memory_is_only_mapped(tmp_path):
    path = tmp_path / "huge.mrc"
    mrc.write_volume(path, np.zeros((1, 1, 1)), 1.0)
    patched(path, 0, struct.pack("<iii", 20000, 20000, 500))
    with open(path, "r+b") as handle:
        handle.truncate(1024 + 4 * 20000 * 20000 * 500)  # 800 GB, all of it a hole
        handle.seek(1024 + 4 * (20000 * 20000 * 499 + 20000 * 7 + 3))
        handle.write(struct.pack("<f", 6.5))
    assert mrc.open_volume(path)[499, 7, 3] == 6.5


def test_old_file_without_map_mark_needs_an_exact_size(tmp_path, volume):
    path = tmp_path / "a.mrc"
    mrc.write_volume(path, volume, 1.0)
    patched(path, 208, bytes(8))
    np.testing.assert_array_equal(mrc.read_volume(path), volume)
    with pytest.raises(InputError, match="no MAP mark"):
        mrc.open_volume(patched(path, 1024 + volume.nbytes, b"x"))


def test_broken_files_are_refused_by_name(tmp_path, volume):
    path = tmp_path / "a.mrc"
    mrc.write_volume(path, volume, 1.0)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(InputError, match=r"a\.mrc is truncated \(1263 bytes, its header asks for 1264\)"):
        mrc.open_volume(path)
    for content, reason in [(b"", "is empty"), (b"hello", "not an MRC"), (gzip.compress(whole), "compressed")]:
        path.write_bytes(content)
        with pytest.raises(InputError, match=reason):
            mrc.open_volume(path)
    with pytest.raises(InputError, match="cannot be found"):
        mrc.open_volume(tmp_path / "none.mrc")
    with pytest.raises(InputError, match="is a folder"):
        mrc.open_volume(tmp_path)
    path.write_bytes(whole)
    with pytest.raises(InputError, match="mode 4"):
        mrc.open_volume(patched(path, 12, struct.pack("<i", 4)))
    path.write_bytes(whole)
    with pytest.raises(InputError, match="0 voxels"):
        mrc.open_volume(patched(path, 8, struct.pack("<i", 0)))


def test_what_is_no_mrc_file_is_not_called_one_of_another_mode(tmp_path, volume):
    mrc.write_volume(tmp_path / "good.mrc", volume, 5.4)
    content = (tmp_path / "good.mrc").read_bytes()
    for mode, said in ((4, "has MRC mode 4, not a map of real numbers"), (808465456, "is not an MRC file")):
        (tmp_path / "bad.mrc").write_bytes(content[:12] + mode.to_bytes(4, "little") + content[16:])
        with pytest.raises(InputError, match=f"bad.mrc {said}"):
            mrc.read_header(tmp_path / "bad.mrc")
    (tmp_path / "table.tbl").write_text("1 0 0 12.5 " * 300)
    with pytest.raises(InputError, match="table.tbl is not an MRC file .*: give a .mrc"):
        mrc.read_header(tmp_path / "table.tbl")


def test_hdf_volumes_of_eman2_are_told_how_to_be_written(tmp_path):
    (tmp_path / "box.hdf").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(5000))
    with pytest.raises(InputError, match="box.hdf is an HDF volume of EMAN2 .*: write it as .mrc"):
        mrc.read_volume(tmp_path / "box.hdf")


def test_nan_is_found_on_reading_not_on_mapping(tmp_path, volume):
    mrc.write_volume(tmp_path / "a.mrc", volume, 1.0)
    patched(tmp_path / "a.mrc", 1024, struct.pack("<ff", np.nan, np.inf))
    assert np.isnan(mrc.open_volume(tmp_path / "a.mrc")[0, 0, 0])
    with pytest.raises(InputError, match="2 voxels"):
        mrc.read_volume(tmp_path / "a.mrc")


def test_what_cannot_be_written_is_refused(tmp_path, volume):
    with pytest.raises(ValueError, match="three axes"):
        mrc.write_volume(tmp_path / "a.mrc", volume[0], 1.0)
    with pytest.raises(ValueError, match="pixel size 0"):
        mrc.write_volume(tmp_path / "a.mrc", volume, 0)
    with pytest.raises(InputError, match="create the folder"):
        mrc.write_volume(tmp_path / "none" / "a.mrc", volume, 1.0)
    assert list(tmp_path.iterdir()) == []


def em_file(path, data, machine=6, kind=5, picometres=0):
    """Write `data` [z, y, x] by the layout of the format's description."""
    order = "<" if machine == 6 else ">"
    header = bytes([machine, 0, 0, kind]) + struct.pack(f"{order}3i", *data.shape[::-1]) + bytes(80)
    parameters = [0] * 40
    parameters[6] = picometres
    header += struct.pack(f"{order}40i", *parameters) + bytes(256)
    path.write_bytes(header + data.astype(data.dtype.newbyteorder(order)).tobytes())
    return path


@pytest.mark.parametrize("machine", [6, 3, 5])
@pytest.mark.parametrize("dtype, kind", [("i1", 1), ("i2", 2), ("f4", 5)])
def test_em_volumes(tmp_path, volume, machine, dtype, kind):
    data = (volume * 20).astype(dtype)
    path = em_file(tmp_path / "a.em", data, machine, kind, picometres=540)
    np.testing.assert_array_equal(mrc.read_volume(path), data.astype(np.float32))
    assert mrc.read_header(path).pixel_size == 5.4 and mrc.read_header(path).shape == (3, 4, 5)


def test_broken_em_volumes(tmp_path, volume):
    path = em_file(tmp_path / "a.em", volume)
    whole = path.read_bytes()
    broken = {"truncated": whole[:-1], "not an EM": whole[:99], "type 8": b"\x06\0\0\x08" + whole[4:]}
    for reason, content in broken.items():
        path.write_bytes(content)
        with pytest.raises(InputError, match=reason):
            mrc.open_volume(path)


@FUZZ
@given(content=st.binary(max_size=1100), suffix=st.sampled_from([".mrc", ".em"]))
def test_random_bytes_never_raise_anything_else(tmp_path, content, suffix):
    path = tmp_path / f"fuzz{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError):
        mrc.read_volume(path)


@FUZZ
@given(st.lists(st.tuples(st.integers(0, 1023), st.binary(min_size=1, max_size=4)), min_size=1, max_size=4))
def test_a_damaged_header_never_raises_anything_else(tmp_path, patches):
    path = tmp_path / "a.mrc"
    mrc.write_volume(path, np.ones((3, 4, 5)), 1.0)
    for offset, data in patches:
        patched(path, offset, data[: 1024 - offset])
    try:
        assert mrc.read_volume(path).size > 0
    except InputError:
        pass
