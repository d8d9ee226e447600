package python
