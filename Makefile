# What people do with this project; `make` lists it.
.PHONY: help setup build demo test test-all lint train-base train-classifier evaluate bench

SWIFT_FLAGS ?=
TWINFLOW = .build/release/twinflow

help:
	@echo "make demo              turn the base model into a one-step generator and look at the pictures"
	@echo "make test              all quick tests; make test-all adds the slow ones"
	@echo "make train-base        train the base model from scratch"
	@echo "make train-classifier  train the classifier that measures pictures"
	@echo "make train-twinflow    the long recipe: the base model to one step, without haste"
	@echo "make evaluate          measure what make train-twinflow made, with 10,000 samples"
	@echo "make bench             measure our steps beside PyTorch's"
	@echo "make lint              check how the code is formatted"

setup:
	@scripts/setup

build: setup
	@swift build -c release --product twinflow $(SWIFT_FLAGS)

demo: build
	@$(TWINFLOW) demo

test: lint
	@scripts/setup --tests
	@swift build -c release --product twinflow $(SWIFT_FLAGS)
	@swift test $(SWIFT_FLAGS)

test-all: lint
	@scripts/setup --tests
	@swift build -c release --product twinflow $(SWIFT_FLAGS)
	@TWINFLOW_SLOW_TESTS=1 swift test $(SWIFT_FLAGS)
	@for limit in AVX2 SSE41; do \
	  ONEDNN_MAX_CPU_ISA=$$limit swift test --skip-build --filter KernelTests $(SWIFT_FLAGS) || exit 1; \
	done

lint:
	@swift format lint --strict --recursive --parallel Package.swift Sources Tests Benchmarks

train-base: build
	@$(TWINFLOW) train Recipes/fashion-mnist-base.yaml

train-classifier: build
	@$(TWINFLOW) train Recipes/fashion-mnist-classifier.yaml

train-twinflow: build
	@$(TWINFLOW) train Recipes/fashion-mnist-twinflow.yaml

evaluate: build
	@$(TWINFLOW) evaluate out/twinflow/weights.safetensors --steps 1 2 --samples 10000

bench: setup
	@Benchmarks/run
