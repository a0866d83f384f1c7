# Two commands set everything up: `make run` (a real face, no camera, no TensorFlow) and `make test`.
# Each makes the environments that it needs, anew where pyproject.toml is newer.

PYTHON ?= python3
FRAMES ?= 100
# That `make fuzz` takes, about.
SECONDS ?= 300
# Files of tests that run side by side.
JOBS ?= 2
# Of the ARM Debian to test on.
SUITE ?= bookworm
# Power cuts of the booted machine.
CUTS ?= 3

# picamera2 comes from the system's packages and is only seen from an environment that shows them.
SITE_PACKAGES := $(shell $(PYTHON) -c "import importlib.util as u; print('--system-site-packages' if u.find_spec('picamera2') else '')" 2>/dev/null)
# The older interpreter has wheels for CPython 3.11 and below; its tests are left out elsewhere.
HAS_TFLITE_RUNTIME := $(shell $(PYTHON) -c "import sys; print('yes' if sys.version_info < (3, 12) else '')" 2>/dev/null)

# MediaPipe reads our files as phones do. It brings another OpenCV under the same name, hence an environment of its own;
# without the libraries that it loads (scripts/system-packages --mediapipe installs them) its test is left out.
HAS_MEDIAPIPE := $(shell $(PYTHON) -c "import ctypes, platform; [ctypes.CDLL(f'lib{name}') for name in ('EGL.so.1', 'GLESv2.so.2', 'GL.so.1')]; print('yes' if platform.machine() == 'x86_64' else '')" 2>/dev/null)

BANDIT := .venv-test/bin/bandit --quiet --configfile pyproject.toml --recursive edge_runtime/fer_edge train/fer_train \
	convert/fer_convert benchmarks/fer_bench

.PHONY: help run model test test-slow test-streamlit fuzz coverage check audit test-wheel test-pythons test-arm64 \
	test-armhf boot-test clean

help:
	@echo "make run           name the expressions of the demo's face, in an environment like the device's"
	@echo "make model         train and convert by a recipe: NAME=mobilenetv2 DATA=fer2013.csv, WEIGHTS=FILE.h5 without a network"
	@echo "make test          run the tests, on both interpreters"
	@echo "make test-slow     run the tests that train or measure for minutes"
	@echo "make test-streamlit  run the example with Streamlit in a browser"
	@echo "make fuzz          look for files that crash, hang or fill memory; SECONDS=600 for ten minutes in all"
	@echo "make coverage      run the tests and tell which lines they leave out"
	@echo "make check         format, lint, types and what bandit looks for"
	@echo "make audit         bandit, and known weaknesses of what is installed (pip-audit), where its service answers"
	@echo "make test-wheel    build the wheel, install it into an empty environment, use it outside the checkout"
	@echo "make test-pythons  the same with each Python from 3.11 to 3.13 that is installed here"
	@echo "make test-arm64    run the runtime's tests on an emulated 64-bit ARM Debian, as root; SUITE=trixie for Python 3.13"
	@echo "make test-armhf    the same on a 32-bit one"
	@echo "make boot-test     boot the service on an emulated machine, as root, and do to it what months do; CUTS=20 power cuts"
	@echo "make clean         remove environments and caches"

run: .venv/ready
	.venv/bin/fer-edge run --source demo --frames $(FRAMES)

# Give the same command again after an interruption: it goes on.
model: .venv-test/ready
	scripts/model .venv-test/bin/python "$(NAME)" "$(DATA)" $(if $(WEIGHTS),--weights "$(WEIGHTS)")

test: .venv-test/ready .venv-picamera2/ready $(if $(HAS_TFLITE_RUNTIME),.venv-tflite/ready) $(if $(HAS_MEDIAPIPE),.venv-mediapipe/ready)
	FER_TEST_TFLITE_PYTHON=$(if $(HAS_TFLITE_RUNTIME),$(CURDIR)/.venv-tflite/bin/python) \
		FER_TEST_MEDIAPIPE_PYTHON=$(if $(HAS_MEDIAPIPE),$(CURDIR)/.venv-mediapipe/bin/python) \
		FER_TEST_PICAMERA2_PYTHON=$(CURDIR)/.venv-picamera2/bin/python \
		.venv-test/bin/python -m pytest -n $(JOBS) --dist loadfile --durations 20
ifneq ($(HAS_TFLITE_RUNTIME),)
	.venv-tflite/bin/python -m pytest -n $(JOBS) --dist loadfile tests/edge_runtime
endif

# Streamlit is large (0.6 GB with what it needs), and no part of the product: an environment of its own, and not in `make test`.
test-streamlit: .venv-test/ready .venv-streamlit/ready
	FER_TEST_STREAMLIT_PYTHON=$(CURDIR)/.venv-streamlit/bin/python \
		.venv-test/bin/python -m pytest tests/edge_runtime/web/test_streamlit_app.py

test-slow: .venv-test/ready
	.venv-test/bin/python -m pytest -m slow

# Each of the searches has its share of the time.
fuzz: .venv-test/ready
	FER_FUZZ_SECONDS=$$(($(SECONDS) / 14)) .venv-test/bin/python -m pytest tests/fuzzing

coverage: .venv-test/ready
	.venv-test/bin/python -m pytest -n $(JOBS) --dist loadfile --cov --cov-report=term

check: .venv-test/ready
	.venv-test/bin/ruff format --check .
	.venv-test/bin/ruff check .
	.venv-test/bin/mypy
	$(BANDIT)

audit: .venv-test/ready .venv-audit/ready
	$(BANDIT)
	scripts/audit .venv-audit/bin/python .venv-test/bin/python

test-wheel: .venv/ready .venv-test/ready
	scripts/test-wheel $(CURDIR)/.venv-test/bin/python $(CURDIR)/.venv/bin/python

test-pythons: .venv/ready .venv-test/ready
	scripts/test-pythons $(CURDIR)/.venv-test/bin/python $(CURDIR)/.venv/bin/python

test-arm64 test-armhf: .venv-test/ready
	JOBS=$(JOBS) scripts/test-arm $(subst test-,,$@) $(SUITE) $(CURDIR)/.venv-test/bin/python

boot-test: .venv-test/ready
	CUTS=$(CUTS) scripts/boot-test $(CURDIR)/.venv-test/bin/python

clean:
	rm -rf .arm .boot .venv .venv-audit .venv-streamlit .venv-test .venv-tflite .venv-mediapipe .venv-picamera2 .mypy_cache .pytest_cache .ruff_cache .coverage build dist

.venv/ready: pyproject.toml
	scripts/make-environment "$(PYTHON)" .venv "-e .[demo]" $(SITE_PACKAGES)
	touch $@

.venv-test/ready: pyproject.toml
	scripts/make-environment "$(PYTHON)" .venv-test "-e .[workstation,demo,dev]"
	touch $@

.venv-audit/ready: pyproject.toml
	scripts/make-environment "$(PYTHON)" .venv-audit "pip-audit>=2.7"
	touch $@

# The runtime as on a system without LiteRT: NumPy 1 and tflite-runtime alone.
.venv-tflite/ready: pyproject.toml
	scripts/make-environment "$(PYTHON)" .venv-tflite "-e .[tflite-runtime,demo,test]"
	.venv-tflite/bin/pip uninstall --quiet --yes ai-edge-litert
	touch $@

.venv-mediapipe/ready: pyproject.toml
	scripts/make-environment "$(PYTHON)" .venv-mediapipe "mediapipe>=1.2,<2"
	touch $@

.venv-streamlit/ready: pyproject.toml
	scripts/make-environment "$(PYTHON)" .venv-streamlit "-e .[streamlit]"
	touch $@

# The camera library of the Pi, in its newest release, with libcamera stood in for by the tests. One of its dependencies
# needs a compiler and headers, and others belong to parts that we do not use: only what `import picamera2` wants is
# installed.
.venv-picamera2/ready: pyproject.toml
	scripts/make-environment "$(PYTHON)" .venv-picamera2 "-e .[test] pidng piexif pillow simplejpeg videodev2"
	.venv-picamera2/bin/pip install --quiet --disable-pip-version-check --no-deps "picamera2>=0.3.38"
	touch $@
