# `make` alone lists what there is. Every target sets up what it needs, in .venv.
# Another Python: make PYTHON=python3.12 ...

VENV := .venv
BIN := $(VENV)/bin
export PYTHON

# Each target installs what it needs and no more: what a dream needs, a web server and what films need
# for the studio, Jupyter for the labs, the tools of the documentation, or those of the tests as well.
DREAM := $(VENV)/.installed-dream
DOCS := $(VENV)/.installed-docs
LABS := $(VENV)/.installed-labs
STUDIO := $(VENV)/.installed-studio,film
DEV := $(VENV)/.installed-dev

# Tests run in two processes with one thread each: results do not depend on the number of cores.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
HERE := not network and not gpu and not weights

.DEFAULT_GOAL := help
.PHONY: help dream studio test check parity portable golden bench labs docs image clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.installed-%: setup.py constraints.txt scripts/make_venv.sh
	@scripts/make_venv.sh $(VENV) $(filter-out dream,$*)
	@touch $@

dream: $(DREAM) ## dream on examples/clouds.jpg with the bundled network
	@start=$$(date +%s) && \
	$(BIN)/deepdream dream examples/clouds.jpg -o dream.png && \
	echo "The dream is $(CURDIR)/dream.png; it took $$(($$(date +%s) - start)) seconds." && \
	echo "Now yours: $(BIN)/deepdream dream PHOTO"

studio: $(STUDIO) ## open the studio, a page in the browser to dream on; Ctrl-C ends it
	$(BIN)/deepdream studio

test: $(DEV) ## run all tests that need neither the internet nor a GPU
	@scripts/install_caffe.sh || echo "The comparison with the real Caffe is left out (see above)."
	@scripts/install_chromium.sh >/dev/null || echo "The test in a browser is left out (see above)."
	@scripts/install_axe.sh >/dev/null || echo "The test with axe is left out (see above)."
	$(PYTEST) -n 2 --dist worksteal -m "$(HERE)"

check: $(DEV) ## format, lint, types, fast tests: before every commit
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(PYTEST) -n 2 --dist worksteal -m "$(HERE) and not slow and not pycaffe"

parity: $(DEV) ## compare with the real Caffe 1.0 (needs Python 3.9 on Linux)
	scripts/install_caffe.sh
	$(PYTEST) -n 2 --dist worksteal -m pycaffe

portable: $(DEV) ## run all tests as on other processors; half an hour
	$(BIN)/python scripts/portable.py

golden: $(DEV) ## ask the real Caffe for tests/golden again
	scripts/install_caffe.sh
	$(BIN)/python scripts/make_golden.py --all

bench: $(DEV) ## time steps, dreams and start-up beside Caffe and autograd; half an hour of quiet
	@scripts/install_caffe.sh || echo "The real Caffe is left out (see above)."
	$(BIN)/python scripts/bench.py

labs: $(LABS) ## make the notebooks of the walkthrough and the labs; needs Jupyter, and brings it
	$(BIN)/python scripts/make_labs.py

docs: $(DOCS) ## build the site of the documentation, in build/site; some minutes
	$(BIN)/python scripts/make_docs.py
	$(BIN)/python scripts/make_site.py

# Options of `buildah build`.
IMAGE_OPTIONS :=
image: ## build the image of the Dockerfile's target cpu and try it; as root, ten minutes
	scripts/build_image.sh build/image $(IMAGE_OPTIONS)

clean: ## remove what make has made
	rm -rf $(VENV) build dist *.egg-info tests/actual dream.png
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
