# The tasks of this project; `make` lists them.
.PHONY: help setup build demo install uninstall test test-setup test-all parity lint train-base train-classifier \
	train-twinflow train-one-step evaluate bench emoji-data train-emoji emoji-scenes train-detector train-emoji-compositions

SWIFT_FLAGS ?=
PREFIX ?= /usr/local
DESTDIR ?=
TWINFLOW = .build/release/twinflow
# Many tests share a process: memory that one has freed is given back, which a training run keeps instead. They run two
# at a time: otherwise the tests that expect a process to end wait behind all others, and Swift Testing's watch over
# these processes keeps a core busy meanwhile.
TEST = MALLOC_CONF=dirty_decay_ms:5000,muzzy_decay_ms:0 SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=2 \
  swift test --explicit-target-dependency-import-check error $(SWIFT_FLAGS)
# Compiling programs takes most of the tests' time: the quick ones have XLA optimize them less, those of `make test-all`
# are what users run.
QUICK = XLA_FLAGS="--xla_backend_optimization_level=0 $$XLA_FLAGS"

bin = $(DESTDIR)$(PREFIX)/bin
share = $(DESTDIR)$(PREFIX)/share
bash_completion = $(share)/bash-completion/completions/twinflow
zsh_completion = $(share)/zsh/site-functions/_twinflow
fish_completion = $(share)/fish/vendor_completions.d/twinflow.fish

help:
	@echo "make demo              draw emoji from words, and turn a base model into a one-step generator"
	@echo "make install           PREFIX=/usr/local: install the program, recipes, weights and completions"
	@echo "make test              run the quick tests; make test-all runs the slow ones too"
	@echo "make parity            compare pipelines with diffusers, which also reads what is trained here, and"
	@echo "                       the reader of texts with rapidocr"
	@echo "make train-base        train the base model from scratch"
	@echo "make train-classifier  train the classifier for evaluation"
	@echo "make train-twinflow    train the base model to one step with the long recipe"
	@echo "make train-one-step    train it further, then to a better one-step generator, 150 minutes"
	@echo "make train-emoji       train the emoji model in four parts, a day or so"
	@echo "make train-detector    train the detector of emoji-compositions; make train-emoji-compositions the model"
	@echo "make evaluate          evaluate the model of make train-twinflow with 10,000 samples"
	@echo "make bench             time training and sampling against PyTorch"
	@echo "make lint              check the formatting, and that imports are declared"

setup:
	@scripts/setup

build: setup
	@swift build -c release --static-swift-stdlib --product twinflow $(SWIFT_FLAGS)

demo: build
	@scripts/fetch-minilm >/dev/null
	@$(TWINFLOW) demo

install: build
	@scripts/fetch-minilm >/dev/null
	@install -D -m 755 $(TWINFLOW) "$(bin)/twinflow"
	@find Recipes Assets -type f -exec install -D -m 644 {} "$(share)/twinflow/{}" \;
	@install -D -m 644 -t "$(share)/doc/twinflow" LICENSE NOTICE README.md
	@install -d "$(dir $(bash_completion))" "$(dir $(zsh_completion))" "$(dir $(fish_completion))"
	@$(TWINFLOW) --generate-completion-script bash >"$(bash_completion)"
	@$(TWINFLOW) --generate-completion-script zsh >"$(zsh_completion)"
	@$(TWINFLOW) --generate-completion-script fish >"$(fish_completion)"
	@echo "Installed $(bin)/twinflow"

uninstall:
	@find Recipes Assets -type f -exec rm -f "$(share)/twinflow/{}" \;
	@rm -f $(foreach file,LICENSE NOTICE README.md,"$(share)/doc/twinflow/$(file)")
	@rm -f "$(bin)/twinflow" "$(bash_completion)" "$(zsh_completion)" "$(fish_completion)"
	@for folder in twinflow doc/twinflow; do \
		[ ! -d "$(share)/$$folder" ] || find "$(share)/$$folder" -type d -empty -delete; \
	done

test-setup:
	@scripts/setup --tests
	@scripts/fetch-minilm >/dev/null
	@scripts/fetch-ocr >/dev/null

test: lint test-setup
	@$(QUICK) $(TEST)

test-all: lint test-setup
	@vocabularies="$$(scripts/vocabularies)" && \
	  TWINFLOW_SLOW_TESTS=1 TWINFLOW_VOCABULARIES="$$vocabularies" $(TEST)
	@for limit in AVX2 SSE41; do \
	  ONEDNN_MAX_CPU_ISA=$$limit $(TEST) --skip-build --filter KernelTests || exit 1; \
	done
	@scripts/test-install
	@$(MAKE) --no-print-directory parity

parity: build
	@Tests/Parity/setup
	@scripts/fetch-ocr >/dev/null
	@for script in pipelines written_files ocr; do \
	  "$${XDG_CACHE_HOME:-$$HOME/.cache}/twinflow/peers/bin/python" -W ignore Tests/Parity/$$script.py \
	    --twinflow $(TWINFLOW) || exit 1; \
	done

lint:
	@swift format lint --strict --recursive --parallel Package.swift Sources Tests Benchmarks
	@scripts/check-imports

train-base: build
	@$(TWINFLOW) train Recipes/fashion-mnist-base.yaml

train-classifier: build
	@$(TWINFLOW) train Recipes/fashion-mnist-classifier.yaml

train-twinflow: build
	@$(TWINFLOW) train Recipes/fashion-mnist-twinflow.yaml

train-one-step: build
	@$(TWINFLOW) train Recipes/fashion-mnist-one-step/base.yaml
	@$(TWINFLOW) train Recipes/fashion-mnist-one-step/twinflow.yaml

emoji-data: build
	@scripts/fetch-minilm >/dev/null
	@scripts/fetch-efficientnet >/dev/null
	@[ -e out/emoji-data ] || scripts/emoji-data out/emoji-data

train-emoji: emoji-data
	@$(TWINFLOW) train Recipes/emoji/base.yaml
	@$(TWINFLOW) train Recipes/emoji/twinflow.yaml
	@$(TWINFLOW) train Recipes/emoji/refine.yaml
	@$(TWINFLOW) train Recipes/emoji/finish.yaml

emoji-scenes: emoji-data
	@[ -e out/emoji-scenes ] || $(TWINFLOW) data emoji-scenes out/emoji-data out/emoji-scenes

train-detector: emoji-scenes
	@$(TWINFLOW) train Recipes/emoji-compositions/detector.yaml
	@$(TWINFLOW) evaluate out/emoji-detector/weights.safetensors --data out/emoji-scenes

train-emoji-compositions: emoji-scenes
	@$(TWINFLOW) train Recipes/emoji-compositions/base.yaml
	@$(TWINFLOW) train Recipes/emoji-compositions/twinflow.yaml --set start=out/emoji-scenes-base

evaluate: build
	@$(TWINFLOW) evaluate out/twinflow/weights.safetensors --steps 1 2 --samples 10000

bench: setup
	@Benchmarks/run
