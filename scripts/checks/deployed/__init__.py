"""Checks of the Kubernetes manifests, alerts and dashboards."""
