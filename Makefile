# The front door: `make demo` and `make test` do all the set-up themselves.
#   PYTHON=/path/to/python   the Python to set up with (3.10-3.12)
#   STACK=onedl               the maintained fork of OpenMMLab, in .venv-onedl
#   IMAGES=/path/to/photos   make demo: pre-train on these photographs
#   ARGS='-k transport'      make test, make test-slow: passed on to pytest

STACK ?= openmmlab
python := .venv$(if $(filter onedl,$(STACK)),-onedl)/bin/python
# Threads that wait for each other by spinning make a step on busy cores three
# times as long.
export OMP_WAIT_POLICY ?= passive
# Two workers more than cores, since tests of processes wait, and up to four, of
# some 2 GB each; ARGS='-n 0' does without them.
pytest := OMP_NUM_THREADS=1 $(python) -m pytest \
  -n $$(( $$(nproc) + 2 )) --maxprocesses 4 --dist worksteal

.PHONY: help demo test test-slow lint format site setup clean

help:
	@sed -n 's/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST)) | sed -n '1,5p'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(firstword $(MAKEFILE_LIST))

demo: setup ## pre-train, fine-tune, evaluate and draw, in small, on a CPU
	@$(python) tools/demo.py $(if $(IMAGES),--images '$(subst ','\'',$(IMAGES))')

test: setup ## the tests
	@$(pytest) -m 'not slow' $(ARGS)

test-slow: setup ## the tests that take more than a minute each
	@$(pytest) -m slow $(ARGS) || { code=$$?; \
	  [ $$code -eq 5 ] && echo 'No test is marked slow.' || exit $$code; }

lint: setup ## style, by ruff
	@$(python) -m ruff check .
	@$(python) -m ruff format --check .

format: setup ## mend the style where ruff can
	@$(python) -m ruff check --fix .
	@$(python) -m ruff format .

site: setup ## docs/ and the reference as a site, in build/site (Python 3.11)
	@$(python) -m sphinx -q -W --keep-going -c docs -b html . build/site

setup: ## .venv from the lock, mmcv, the package; nothing if all is there
	@PYTHON='$(subst ','\'',$(PYTHON))' STACK='$(STACK)' sh tools/setup/setup.sh

clean: ## remove what builds and tools leave; .venv and work_dirs stay
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache
	find mmselfemd tools tests configs -name __pycache__ -type d -prune \
	  -exec rm -rf {} +
