# SPDX-License-Identifier: GPL-3.0-or-later
"""The alignment protocol in chunks, as processes and as jobs of a queue, also continued: the same outputs."""

from pathlib import Path

import numpy as np
import psutil
import pytest
from pyworkflow.protocol.constants import MODE_RESUME

from stadyn.convert.coordinates import read_particles
from stadyn.core.errors import InputError
from stadyn.protocols import StadynProtAlign
from stadyn.protocols.chunks import check_chunks

from .project import configured, launch
from .test_orphans import HOSTS, ROUND
from .test_slurm import wait_for


@pytest.fixture(scope="module")
def form(oversampled):
    return {"inputParticles": (oversampled, "coordinates"), "boxSize": 345.6, **ROUND}


@pytest.fixture(scope="module")
def local(project, form):
    """The alignment in one process."""
    return launch(project, StadynProtAlign, **form)


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A queue that starts each job at once; its number is that of its process."""
    (tmp_path / "hosts.conf").write_text(HOSTS.format(folder=tmp_path))
    (tmp_path / "submit").write_text(f'setsid sh "$1" >> {tmp_path}/job.log 2>&1 &\necho $!\n')
    monkeypatch.setenv("SCIPION_HOSTS", str(tmp_path / "hosts.conf"))


def assert_same_outputs(one, other):
    first, second = (read_particles(p.particles) for p in (one, other))
    assert np.array_equal(first.rotations, second.rotations) and np.array_equal(first.positions, second.positions)
    assert np.array_equal(first.cc, second.cc) and np.array_equal(first.ids, second.ids)
    assert Path(one.average.getFileName()).read_bytes() == Path(other.average.getFileName()).read_bytes()


def test_without_a_queue_chunks_are_processes(project, local, form):
    chunked = launch(project, StadynProtAlign, **form, chunks=2)
    assert "chunk" in Path(chunked._getExtraPath("align.json")).read_text()
    assert_same_outputs(local, chunked)


def test_a_killed_protocol_leaves_jobs_that_end_and_is_continued_to_the_same_outputs(project, local, form, shell):
    protocol = configured(project, StadynProtAlign, **form, chunks=2)
    protocol._useQueue.set(True)
    protocol.setQueueParams(["all", {"QUEUE_FOR_JOBS": "Y"}])
    project.launchProtocol(protocol)
    folder = Path(protocol._getExtraPath("align", "chunks")).absolute()
    wait_for(lambda: len(list(folder.glob("here_*"))) == 2 and list(folder.glob("answer_*")), protocol)
    own = str(folder / "worker_1.json")
    workers = [p for p in psutil.process_iter(["cmdline"]) if own in (p.info["cmdline"] or [])]
    assert workers
    project._updateProtocol(protocol)
    psutil.Process(protocol.getPid()).kill()
    protocol.runMode.set(MODE_RESUME)
    project.launchProtocol(protocol, wait=True)
    assert protocol.isFinished(), protocol.getErrorMessage()
    assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in workers)
    assert_same_outputs(local, protocol)


def test_several_gpus_for_a_chunk_in_the_queue_are_refused(project, form):
    protocol = configured(project, StadynProtAlign, **form, chunks=2, useGpu=True, gpuList="0,1")
    check_chunks(protocol)  # processes here take them in turn
    protocol._useQueue.set(True)
    protocol.setQueueParams(["all", {"QUEUE_FOR_JOBS": "Y"}])
    with pytest.raises(InputError, match="GPU ids are 0 1, but each of the 2 chunks works on one GPU: give one id"):
        check_chunks(protocol)
