.DEFAULT_GOAL := help
.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

.PHONY: lint
lint: ## Style, types, walls between rooms, metric contract
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	python -m libs.common.telemetry_contract
