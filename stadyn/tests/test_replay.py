# SPDX-License-Identifier: GPL-3.0-or-later
"""Saved workflows: their questions, and their unattended run through the host."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

from stadyn.__main__ import main
from stadyn.core.errors import InputError
from stadyn.host import failure
from stadyn.io.mrc import write_volume
from stadyn.workflow import parse_values, read_workflow

# The second protocol stands first in the file: order must come from the graph.
TEMPLATE = """A tomogram of several,
100 %% of the description is shown.
[
  {"object.className": "ProtSubSet", "object.id": "12", "object.label": "Step 2 - one of them", "chooseAtRandom": true,
   "nElements": "~How many|1|3|n~", "inputFullSet": "2.Tomograms"},
  {"object.className": "ProtImportTomograms", "object.id": "2", "object.label": "Step 1 - tomograms",
   "object.comment": "~Note|50 %%|0|note~", "filesPath": "~Tomograms||6|tomograms~",
   "filesPattern": "~Pattern|t*.mrc|0|pattern~", "samplingRate": "~Pixel size|5.4|4|pixel~",
   "copyFiles": "~Copy|no|1|copy~", "voltage": "~Voltage again|5.4|4|pixel~"}
]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two small tomograms and a template, and an environment that is put back afterwards."""
    for name in ("SCIPION_USER_DATA", "PYTHONPATH"):
        monkeypatch.setenv(name, os.environ[name])
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    (tmp_path / "tomograms").mkdir()
    for i in (1, 2):
        write_volume(tmp_path / "tomograms" / f"t{i}.mrc", rng.normal(size=(8, 12, 12)), 5.4)
    (tmp_path / "two.json.template").write_text(TEMPLATE)
    return tmp_path


def replay(*words):
    return main(["replay", "two.json.template", "--projects", "work", *words])


def test_template_fills_every_field_of_an_alias(folder):
    workflow = read_workflow("two.json.template")
    assert workflow.description.endswith("100 %% of the description is shown.") and workflow.name == "two"
    assert list(workflow.fields) == ["n", "note", "tomograms", "pattern", "pixel", "copy"]
    subset, tomograms = workflow.filled({"tomograms": "tomograms", "pixel": "1.35", "note": 'a "b\\', "copy": "1"})
    assert tomograms["filesPath"] == str(folder / "tomograms")  # absolute: a run's own folder is another
    assert (tomograms["samplingRate"], tomograms["voltage"]) == ("1.35", "1.35")
    assert (tomograms["object.comment"], tomograms["copyFiles"], subset["nElements"]) == ('a "b\\', "True", "1")
    assert workflow.filled({"tomograms": "tomograms"})[1]["object.comment"] == "50 %"


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["tomograms=nowhere"], "tomograms=nowhere: no such folder"),
        (["tomograms=two.json.template"], "a folder, and this is a file"),
        ([], "tomograms=... is missing"),
        (["n=2.5"], "n=2.5: How many is an integer"),
        (["tomograms=tomograms", "pixel=small"], "pixel=small: Pixel size is a number"),
        (["tomograms=tomograms", "copy=perhaps"], "copy=perhaps: Copy is true or false"),
        (
            ["tomogram=x"],
            "'tomogram' is not asked by two.json.template; it asks for: n, note, tomograms, pattern, pixel, copy",
        ),
        (["n=1", "n=2"], "n is given twice"),
        (["n"], "'n': values are given as alias=value"),
    ],
)
def test_wrong_answer_is_one_sentence_before_anything_runs(folder, capsys, words, sentence):
    assert replay(*words) == 1
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert not (folder / "work").exists()


@pytest.mark.parametrize(
    "text, sentence",
    [
        ('[\n{"object.className": "X", "object.id": "1", "a": "~b|1|3~"}\n]', "is not ~label|default|type|alias~"),
        ('[\n{"object.className": "X", "object.id": "1", "a": "~b|1|3|c"}\n]', "is not closed"),
        ('[\n{"object.className": "X", "object.id": "1", "a": "5 % d"}\n]', "must be doubled"),
        ('[\n{"object.className": "X", "object.id": "1", "a": "%(NO_SUCH)s"}\n]', "'NO_SUCH'"),
        ('[\n{"object.className": "X", "object.id": "1", "a": "%(PATH)2000000000s"}\n]', "must be doubled"),
        ("[]\n", "no list of protocols"),
    ],
)
def test_broken_template_is_named(tmp_path, text, sentence):
    path = tmp_path / "broken.json.template"
    path.write_text(text)
    with pytest.raises(InputError, match="broken.json.template") as error:
        read_workflow(path)
    assert sentence in str(error.value)


def test_environment_variables_as_the_host_reads_them(tmp_path, monkeypatch):
    monkeypatch.setenv("WHERE", "/data")
    path = tmp_path / "env.json.template"
    path.write_text('[\n{"object.className": "X", "object.id": "1", "a": "%(WHERE)s/100%%"}\n]')
    assert read_workflow(path).filled({})[0]["a"] == "/data/100%"


def test_unknown_workflow_lists_the_templates():
    with pytest.raises(InputError, match="'nine'.*vlp_nine_steps"):
        read_workflow("nine")


def test_values_keep_later_equal_signs():
    assert parse_values(["a=b=c", "d="]) == {"a": "b=c", "d": ""}


def test_list_shows_aliases_labels_types_and_defaults(folder, capsys):
    assert replay("--list") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["pixel", "Pixel", "size", "number", "5.4"] in lines and ["tomograms", "Tomograms", "folder"] in lines


def test_the_graph_gives_the_order_and_a_finished_protocol_is_not_run_again(folder, capsys):
    words = ["tomograms=tomograms", "--project", "p", "--log", "log.jsonl", "pattern=t*.mrc"]
    assert replay(*words, "--until", "step 1 - tomograms") == 0
    assert os.getcwd() == str(folder)
    assert replay("--project", "p", "--resume", "--log", "log.jsonl") == 0
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [(e["event"], e["step"], e["class"]) for e in events] == [
        ("started", "1", "ProtImportTomograms"),
        ("finished", "1", "ProtImportTomograms"),
        ("skipped", "1", "ProtImportTomograms"),
        ("started", "2", "ProtSubSet"),
        ("finished", "2", "ProtSubSet"),
    ]
    assert "2     Step 2 - one of them" in capsys.readouterr().out
    runs = sorted(os.listdir(folder / "work" / "projects" / "p" / "Runs"))
    assert [run.split("_")[1] for run in runs] == ["ProtSubSet", "ProtImportTomograms"]
    assert replay(*words) == 1
    assert "project 'p' is already in" in capsys.readouterr().err


def test_missing_input_leaves_no_project(folder, capsys):
    assert replay("tomograms=tomograms", "pattern=u*.mrc", "--project", "q") == 1
    error = capsys.readouterr().err
    assert "Step 1 - tomograms" in error and "u*.mrc" in error and error.count("\n") == 1
    assert not os.listdir(folder / "work" / "projects")


def test_first_failure_stops_and_names_protocol_and_log(folder, capsys):
    (folder / "tomograms" / "t3.mrc").write_text("not a volume")
    assert replay("tomograms=tomograms", "--project", "f", "--log", "log.jsonl") == 1
    captured = capsys.readouterr()
    first, second = captured.err.splitlines()[-2:]
    assert first.startswith("stadyn replay: Step 1 - tomograms failed: ")
    log = second.removeprefix("its log: ")
    assert os.path.getsize(log) and "ProtImportTomograms" in log
    events = [json.loads(line)["event"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert events == ["started", "failed"] and "FAILED" in captured.out


@pytest.mark.parametrize("name, folder_of_it", [("..", "--"), ("v1.2/ñ b", "v1-2-ñ-b")])
def test_a_name_that_is_no_folder_harms_no_other_project(folder, capsys, name, folder_of_it):
    (folder / "work" / "projects" / "other").mkdir(parents=True)
    words = ["tomograms=tomograms", "--project", name, "--until", "Step 1 - tomograms"]
    assert replay(*words) == 0
    assert sorted(os.listdir(folder / "work" / "projects")) == sorted(["other", folder_of_it])
    assert replay("--project", name, "--resume", "--until", "Step 1 - tomograms") == 0
    assert "finished before" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["--until", "Step 1"], "--until 'Step 1': no protocol has this label"),
        (["--log", "nowhere/log.jsonl"], "nowhere/log.jsonl cannot be written (No such file or directory)"),
        (["--export", "two.json.template"], "two.json.template is no folder that can be written to"),
        (["--projects", "a$b"], "the host runs nothing in a path with '$'"),
        (["n=99999999999999999999"], "is too large"),
    ],
)
def test_what_would_fail_in_the_morning_is_said_in_the_evening(folder, capsys, words, sentence):
    assert replay("tomograms=tomograms", "--project", "p", *words) == 1
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert not (folder / "work" / "projects" / "p").exists()


def test_an_interrupted_replay_says_how_it_goes_on(folder, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("stadyn.host.launch", interrupted)
    assert replay("tomograms=tomograms", "--project", "p", "--log", "log.jsonl") == 130
    assert capsys.readouterr().err.strip() == "stadyn replay: interrupted, go on with --resume --project p"
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["started", "stopped"]


def test_a_link_to_what_was_not_made_is_said_without_a_traceback(folder, capsys):
    protocols = [
        {"object.className": "ProtImportTomograms", "object.id": "2", "object.label": "t", "filesPath": "tomograms",
         "filesPattern": "t*.mrc", "samplingRate": 5.4},
        {"object.className": "StadynProtFindShells", "object.id": "3", "object.label": "s", "inputTomograms": "2.Maps"},
        {"object.className": "StadynProtOversample", "object.id": "4", "object.label": "o",
         "inputDipoles": "2.Tomograms"},
    ]  # fmt: skip
    (folder / "w.json").write_text(json.dumps(protocols[:2]))
    assert main(["replay", "w.json", "--projects", "work", "--project", "a"]) == 1
    assert "s failed: Tomograms: t made no 'Maps', but Tomograms\n" in capsys.readouterr().err
    (folder / "w.json").write_text(json.dumps(protocols[::2]))
    assert main(["replay", "w.json", "--projects", "work", "--project", "b"]) == 1
    assert "o failed: Dipoles is a SetOfTomograms: give a SetOfMeshes.\n" in capsys.readouterr().err


def test_unknown_protocol_is_named(folder, capsys):
    protocols = [{"object.className": "ProtFromElsewhere", "object.id": "2", "object.label": "x"}]
    (folder / "odd.json").write_text(json.dumps(protocols))
    assert main(["replay", "odd.json", "--projects", "work"]) == 1
    assert "ProtFromElsewhere is not installed" in capsys.readouterr().err


QUEUE = (
    "There was a problem submitting this protocol to the queue engine:"
    " ['', 'sbatch: error: no partition X\\nsbatch: failed\\n']"
)
GONE = "Command 'x' returned non-zero exit status 1."


@pytest.mark.parametrize(
    "message, logged, told",
    [
        ("\x1b[31mProtocol failed: no such tomogram\x1b[0m", "", "no such tomogram"),
        (GONE, f"ValueError: 3 is odd\nsubprocess.CalledProcessError: {GONE}", "ValueError: 3 is odd"),
        ("Process 7 not found running on the machine.", "stadyn align: box too large", "stadyn align: box too large"),
        ("", "nothing of use", "it ended without a word"),
        (QUEUE, "", "the queue takes no job (sbatch: error: no partition X sbatch: failed): check hosts.conf"),
        ("", "sqlite3.OperationalError: database or disk is full", "no room is left on the disk of {folder}, free"),
    ],
)  # fmt: skip
def test_the_cause_of_a_failure_is_found(tmp_path, message, logged, told):
    (tmp_path / "run.stdout").write_text("")
    (tmp_path / "run.stderr").write_text(f"Traceback (most recent call last):\n  raise Error\n{logged}\n")
    run = SimpleNamespace(
        getErrorMessage=lambda: message,
        getStdoutLog=lambda: str(tmp_path / "run.stdout"),
        getStderrLog=lambda: str(tmp_path / "run.stderr"),
        getWorkingDir=lambda: str(tmp_path),
    )
    sentence, log = failure(run)
    assert sentence.startswith(told.format(folder=tmp_path)) and log == str(tmp_path / "run.stderr")
