"""Runs notebooks as a Databricks workspace would, for the sandbox."""
