"""Checks of the Kubernetes manifests that need no cluster: `python -m cli.manifests [FOLDER...]`.

Three steps: `kubectl kustomize` renders a folder, `schemas` holds each object strictly against Kubernetes' and the custom resources'
own schemas, `rules` looks at what crosses objects. What only a real API server can tell is in tests/k8s/test_control_plane.py.
"""
