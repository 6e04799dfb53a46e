# Two commands: `make demo` (from nothing to a map) and `make test` (everything, host included). Both make their own environment.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# No display, no GPU: pictures go to files. One BLAS thread per process, for the processes share the cores.
export MPLBACKEND := Agg
export PYTHONUNBUFFERED := 1

.PHONY: help env demo gui gallery test bench bench-alignment bench-relion bench-robustness bench-viewer fuzz bench-relion-postprocess bench-acryo bench-gpu lint clean distclean

help:
	@echo "make demo   simulate two tomograms, run the nine steps through the host, compare with the truth (writes demo/)"
	@echo "make test   run every test, host included"
	@echo "make bench  what is too slow for a test (after make demo); make bench-relion, bench-acryo, bench-gpu: against other programs, on a GPU"
	@echo "make gui    open the project that the demo left in the host's GUI (needs a display)"
	@echo "make gallery pictures of the real GUI on that project, for docs/gallery.md (on a virtual screen)"
	@echo "make lint   ruff"
	@echo "make clean  remove what these commands made, but for the environment; make distclean removes that too"

env: $(INSTALLED)

$(INSTALLED): setup.py
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' || { \
	  echo "make: the Scipion host needs Python 3.10 to 3.12, and $(PYTHON) is not: name one with  make PYTHON=/path/to/python3.11"; exit 1; }
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then $(PYTHON) -m venv --clear $(VENV); \
	elif $(PYTHON) -m pip --version >/dev/null 2>&1; then \
	  $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; \
	else echo "make: $(PYTHON) has neither ensurepip nor pip to fill a virtual environment with: apt-get install python3-venv, or name another interpreter with  make PYTHON=/path/to/python3.11"; exit 1; fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

demo: $(INSTALLED)
	$(BIN)/python examples/demo.py --out demo

gui: $(INSTALLED)
	$(BIN)/python examples/gui.py $(GUI_ARGS)

gallery: $(INSTALLED)
	$(BIN)/python examples/gallery.py $(GALLERY_ARGS)

test: $(INSTALLED)
	@$(BIN)/python examples/screen.py
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q --durations=15 $(PYTEST_ARGS) stadyn

# Rows of the alignment engine that need no other program and no GPU; all run, then the first failure counts.
ALIGNMENT_ROWS := benchmarks/against_peer_loop.py benchmarks/against_exhaustive.py benchmarks/wide_search.py benchmarks/capture.py \
  benchmarks/scaling.py benchmarks/two_processes.py benchmarks/memory.py benchmarks/paper_sizes.py
ROWS_SHARE := benchmarks/planted_particles.py benchmarks/aligning.py benchmarks/rows.py

bench-alignment: $(INSTALLED) $(ROWS_SHARE)
	@failed=0; for row in $(ALIGNMENT_ROWS); do echo "## $$row"; $(BIN)/python $$row || failed=1; done; exit $$failed

bench-relion: $(INSTALLED) $(ROWS_SHARE)
	$(BIN)/python benchmarks/against_relion.py

bench-viewer: $(INSTALLED)
	$(BIN)/python benchmarks/particle_viewer.py

bench-robustness: $(INSTALLED)
	$(BIN)/python benchmarks/round_trips.py $(TABLES)
	$(BIN)/python benchmarks/killed_replay.py
	$(BIN)/python benchmarks/host_scripts.py
	$(BIN)/python benchmarks/large_tomogram.py

# Hours: ten minutes of the processor for each reader, finished ones kept in fuzz.state. pip install '.[fuzz]' for the guided half.
fuzz: $(INSTALLED)
	$(BIN)/python benchmarks/fuzz_readers.py --state fuzz.state

bench-relion-postprocess: $(INSTALLED)
	$(BIN)/python benchmarks/relion_postprocess.py

# acryo asks for a newer NumPy than the host pins: an environment of its own, in which the engine runs too.
bench-acryo: $(INSTALLED) $(ROWS_SHARE)
	@test -d .venv-acryo || $(BIN)/python -m venv --without-pip .venv-acryo
	$(BIN)/python -m pip --python .venv-acryo/bin/python install --quiet acryo scipy scikit-learn mrcfile
	PYTHONPATH=. .venv-acryo/bin/python benchmarks/against_acryo.py

bench-gpu: $(INSTALLED) $(ROWS_SHARE)
	$(BIN)/python benchmarks/gpu.py

bench: $(INSTALLED) benchmarks/picking_workflows.py
	@test -d demo/data || { echo "make: there is no simulated data yet: make demo first"; exit 1; }
	@failed=0; $(MAKE) --no-print-directory bench-alignment || failed=1; \
	for row in benchmarks/selection.py benchmarks/half_map_alignment.py benchmarks/postprocessing.py \
	  "benchmarks/simulator_noise.py demo/data" "benchmarks/picking.py demo/data --quick" benchmarks/tubes.py; do \
	  echo "## $$row"; $(BIN)/python $$row || failed=1; done; exit $$failed

lint: $(INSTALLED)
	@$(BIN)/python -m ruff --version >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet ruff
	$(BIN)/python -m ruff check .

clean:
	rm -rf demo build dist *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) .venv-acryo
